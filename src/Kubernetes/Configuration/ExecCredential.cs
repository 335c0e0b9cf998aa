using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.Kubernetes;

/// <summary>Runs the plugin when there is no credential, the last one is about to expire, or the server refused it. One run at a time.</summary>
internal sealed class ExecCredential(ExecPlugin plugin, KubernetesClientConfiguration cluster, TimeProvider clock) : ICredentialSource
{
    /// <summary>A credential this close to its end is not used any more: the request must still arrive.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LeastBetweenRefreshes = TimeSpan.FromSeconds(5);
    private sealed record Cached(Credential Credential, DateTimeOffset? Expires, long At);
    private readonly SemaphoreSlim _one = new(1);
    private volatile Cached? _cached;

    public async ValueTask<Credential> GetAsync(bool refresh, CancellationToken ct)
    {
        if (!refresh && Usable() is { } ready) return ready;
        await _one.WaitAsync(ct);
        try
        {
            // Several requests may have been refused together: the first one's fresh credential serves them all.
            if (Usable() is { } fresh && (!refresh || clock.GetElapsedTime(_cached!.At) < LeastBetweenRefreshes)) return fresh;
            _cached = Parse(await RunAsync(ct));
            return _cached.Credential;
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private Credential? Usable() => _cached is { } c && (c.Expires is not { } end || end - Margin > clock.GetUtcNow()) ? c.Credential : null;

    private async Task<string> RunAsync(CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(plugin.Timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        using var process = Start();
        try
        {
            process.StandardInput.Close();
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(both.Token), process.StandardError.ReadToEndAsync(both.Token));
            await Task.WhenAll(output, errors, process.WaitForExitAsync(both.Token));
            return process.ExitCode == 0 ? await output : throw Failed($"exited with {process.ExitCode}: {(await errors).Trim()}");
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            if (ct.IsCancellationRequested) throw;
            throw Failed($"gave no answer within {plugin.Timeout.TotalSeconds} s", e);
        }
    }

    private Process Start()
    {
        var start = new ProcessStartInfo(plugin.Command, plugin.Arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in plugin.Environment) start.Environment[name] = value;
        start.Environment["KUBERNETES_EXEC_INFO"] = Info().ToJsonString();
        try
        {
            return Process.Start(start) ?? throw Failed("did not start");
        }
        catch (Win32Exception e)
        {
            throw Failed($"cannot be started: {e.Message}", e);
        }
    }

    private JsonObject Info()
    {
        var spec = new JsonObject { ["interactive"] = false };
        if (plugin.ProvideClusterInfo)
        {
            var authorities = string.Concat(cluster.CertificateAuthorities.Select(c => c.ExportCertificatePem() + "\n"));
            spec["cluster"] = new JsonObject
            {
                ["server"] = cluster.Host.AbsoluteUri.TrimEnd('/'),
                ["certificate-authority-data"] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(authorities)),
                ["insecure-skip-tls-verify"] = cluster.SkipTlsVerify,
            };
        }

        return new JsonObject { ["apiVersion"] = plugin.ApiVersion, ["kind"] = "ExecCredential", ["spec"] = spec };
    }

    private Cached Parse(string output)
    {
        ExecCredentialAnswer? answer;
        try
        {
            answer = JsonSerializer.Deserialize(output, InternalJson.Default.ExecCredentialAnswer);
        }
        catch (JsonException e)
        {
            throw Failed("printed no ExecCredential", e);
        }

        if (answer?.ApiVersion != plugin.ApiVersion) throw Failed($"answered in \"{answer?.ApiVersion}\", asked for \"{plugin.ApiVersion}\"");
        var status = answer.Status ?? throw Failed("answered without a status");
        var certificate = Certificate(status);
        if (status.Token is null && certificate is null) throw Failed("answered with neither token nor client certificate");
        var credential = status.Token is null ? new Credential(Certificate: certificate) : Credential.Bearer(status.Token, certificate);
        return new(credential, status.ExpirationTimestamp, clock.GetTimestamp());
    }

    private X509Certificate2? Certificate(ExecCredentialStatus status) => (status.ClientCertificateData, status.ClientKeyData) switch
    {
        (null, null) => cluster.ClientCertificate,
        ({ } certificate, { } key) => Pem.Pair(certificate, key, $"The credential plugin {plugin.Command}"),
        _ => throw Failed("answered with only one of clientCertificateData and clientKeyData"),
    };

    private KubeConfigException Failed(string what, Exception? inner = null) =>
        new($"The credential plugin {plugin.Command} {what}.{(plugin.InstallHint is null ? "" : $" {plugin.InstallHint}")}", inner);
}

internal sealed record ExecCredentialAnswer
{
    public string? ApiVersion { get; init; }
    public ExecCredentialStatus? Status { get; init; }
}

internal sealed record ExecCredentialStatus
{
    public string? Token { get; init; }
    public DateTimeOffset? ExpirationTimestamp { get; init; }
    public string? ClientCertificateData { get; init; }
    public string? ClientKeyData { get; init; }
}
