using System.Diagnostics;
using Opt.Kubernetes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Live;

/// <summary>The embedded API server over HTTPS with our definitions, a client of ours, and the real kubectl.</summary>
internal sealed class LiveCluster : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);
    private readonly EmbeddedApiServer _server;
    private readonly string _folder = Directory.CreateTempSubdirectory("opt-live-").FullName;

    private LiveCluster(EmbeddedApiServer server, ApiHost host)
    {
        (_server, Host) = (server, host);
        Kubeconfig = KubeconfigOf("admin", "system:masters");
        Client = ClientOf(Kubeconfig);
    }

    public ApiHost Host { get; }

    /// <summary>The administrator's.</summary>
    public string Kubeconfig { get; }

    public KubernetesClient Client { get; }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static async Task<LiveCluster> StartAsync(bool rbac = false, IReadOnlyDictionary<string, Opt.LocalCluster.ApiServer.Auth.UserInfo>? tokens = null)
    {
        var server = await EmbeddedApiServer.StartAsync(new() { Rbac = rbac }, Cancelled);
        var cluster = new LiveCluster(server, await ApiHost.StartAsync(server, new() { Rbac = rbac, Tokens = tokens ?? new Dictionary<string, Opt.LocalCluster.ApiServer.Auth.UserInfo>() }, Cancelled));
        await cluster.KubectlAsync("apply", "-f", Repo.PathOf("crds"));
        await cluster.KubectlAsync("wait", "--for=condition=Established", "crd/opttrainingjobs.training.opt-operator.io", "--timeout=100s");
        return cluster;
    }

    /// <summary>A kubeconfig file of any user.</summary>
    public string KubeconfigOf(string user, params string[] groups)
    {
        var path = Path.Combine(_folder, $"{user}.kubeconfig");
        File.WriteAllText(path, Host.ClientKubeconfig(user, groups));
        return path;
    }

    public static KubernetesClient ClientOf(string kubeconfig) => new(KubernetesClientConfiguration.BuildConfigFromConfigFile([kubeconfig]), new() { QueriesPerSecond = 1000, Burst = 1000 });

    /// <summary>Writes a file below the cluster's own folder.</summary>
    public string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Standard output of kubectl.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is what it said.</exception>
    public async Task<string> KubectlAsync(params string[] arguments)
    {
        var (exitCode, output, error) = await TryKubectlAsync(arguments);
        return exitCode == 0 ? output : throw new InvalidOperationException($"kubectl {string.Join(' ', arguments)} exited {exitCode}: {error}{output}");
    }

    public Task<(int ExitCode, string Output, string Error)> TryKubectlAsync(params string[] arguments)
    {
        var kubectl = Repo.PathOf(".cache", "tools", "kubectl");
        Assert.SkipUnless(File.Exists(kubectl), "kubectl is not there: run eng/install.sh test");
        return RunAsync(kubectl, arguments, new() { ["KUBECONFIG"] = Kubeconfig, ["KUBECACHEDIR"] = Path.Combine(_folder, "cache") });
    }

    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(string program, IEnumerable<string> arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(Cancelled);
        var error = process.StandardError.ReadToEndAsync(Cancelled);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(Deadline);
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{Path.GetFileName(program)} did not end within {Deadline.TotalSeconds} s");
        }

        return (process.ExitCode, await output, await error);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Host.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
