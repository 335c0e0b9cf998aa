using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;
using Opt.Testing;
using Xunit;

namespace Opt.Layout.Chart;

/// <summary>The embedded API server over HTTPS with an administrator's kubeconfig, for the real helm and kubectl.</summary>
public sealed class InstalledCluster : IAsyncDisposable
{
    private readonly EmbeddedApiServer _server;
    private readonly ApiHost _host;
    private readonly string _kubeconfig;
    private readonly Dictionary<string, string> _environment;

    private InstalledCluster(EmbeddedApiServer server, ApiHost host)
    {
        (_server, _host) = (server, host);
        _kubeconfig = Path.Combine(Path.GetTempPath(), $"opt-layout-{Guid.NewGuid():N}.kubeconfig");
        LocalCluster.ApiServer.Http.Kubeconfig.Write(_kubeconfig, host.AdminKubeconfig());
        _environment = new(Helm.Environment) { ["KUBECONFIG"] = _kubeconfig };
    }

    /// <summary>The administrator's kubeconfig.</summary>
    public string Kubeconfig => File.ReadAllText(_kubeconfig);

    public static async Task<InstalledCluster> StartAsync()
    {
        var ct = TestContext.Current.CancellationToken;
        var server = await EmbeddedApiServer.StartAsync(new ApiServerOptions(), ct);
        return new(server, await ApiHost.StartAsync(server, new ApiHostOptions(), ct));
    }

    public Task<CommandResult> HelmAsync(params IEnumerable<string> arguments) => RunAsync("helm", arguments);

    public Task<CommandResult> KubectlAsync(params IEnumerable<string> arguments) => RunAsync("kubectl", arguments);

    public async Task<CommandResult> KubectlAsync(IEnumerable<string> arguments, string input) => await Command.RunAsync(await Helm.PathOfAsync("kubectl"), arguments, _environment, input);

    /// <summary>Installs or upgrades release "opt" in opt-system.</summary>
    public Task<CommandResult> DeployAsync(params IEnumerable<string> arguments) =>
        HelmAsync(["upgrade", "--install", "opt", Helm.ChartFolder, "--namespace", "opt-system", "--create-namespace", .. arguments]);

    /// <summary>"kind/name" of everything the release labels as its own, in order.</summary>
    public async Task<IReadOnlyList<string>> ObjectsAsync()
    {
        const string Kinds = "serviceaccounts,services,deployments,poddisruptionbudgets,networkpolicies,roles,rolebindings,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations";
        var listed = await KubectlAsync("get", Kinds, "--all-namespaces", "-l", "app.kubernetes.io/instance=opt", "-o", "name");
        return [.. listed.Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _server.DisposeAsync();
        File.Delete(_kubeconfig);
    }

    private async Task<CommandResult> RunAsync(string tool, IEnumerable<string> arguments) =>
        await Command.RunAsync(await Helm.PathOfAsync(tool), arguments, _environment);
}
