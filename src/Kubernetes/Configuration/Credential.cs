using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;

namespace Opt.Kubernetes;

/// <summary>What proves who the client is. A client certificate is presented when a connection is made, the rest with each request.</summary>
internal sealed record Credential(AuthenticationHeaderValue? Authorization = null, X509Certificate2? Certificate = null)
{
    public static readonly Credential None = new();

    public static Credential Bearer(string token, X509Certificate2? certificate) => new(new AuthenticationHeaderValue("Bearer", token), certificate);

    public void ApplyTo(HttpRequestMessage message)
    {
        message.Headers.Authorization = Authorization;
        message.Options.Set(ApiHandler.CertificateOption, Certificate);
    }

    public override string ToString() => "Credential";   // never in a log
}

/// <summary>Where the credential comes from. Thread-safe.</summary>
internal interface ICredentialSource : IDisposable
{
    /// <summary>The credential to use now. <paramref name="refresh"/>: the server has just refused the last one.</summary>
    ValueTask<Credential> GetAsync(bool refresh, CancellationToken ct);

    void IDisposable.Dispose()
    {
    }
}

/// <summary>A credential that never changes.</summary>
internal sealed class StaticCredential(Credential credential) : ICredentialSource
{
    public ValueTask<Credential> GetAsync(bool refresh, CancellationToken ct) => new(credential);
}

/// <summary>
/// A token file that something else rotates, as the kubelet does with service account tokens. Read again every minute,
/// and at once when the server refuses the token.
/// </summary>
internal sealed class TokenFileCredential(string path, X509Certificate2? certificate, TimeProvider clock) : ICredentialSource
{
    private static readonly TimeSpan ReadEvery = TimeSpan.FromMinutes(1);
    private sealed record Cached(Credential Credential, long ReadAt);
    private volatile Cached? _cached;

    public async ValueTask<Credential> GetAsync(bool refresh, CancellationToken ct)
    {
        if (!refresh && _cached is { } cached && clock.GetElapsedTime(cached.ReadAt) < ReadEvery) return cached.Credential;
        var token = (await File.ReadAllTextAsync(path, ct)).Trim();
        if (token.Length == 0) throw new IOException($"The token file {path} is empty.");
        var fresh = new Cached(Credential.Bearer(token, certificate), clock.GetTimestamp());
        _cached = fresh;
        return fresh.Credential;
    }
}
