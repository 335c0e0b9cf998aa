using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Kubelet;

namespace Opt.LocalCluster;

/// <summary>
/// A Kubernetes control plane in this process: API server, controllers and scheduler, with nodes whose pods are processes of this machine if the options ask for
/// them, and an HTTPS face likewise.
/// </summary>
public sealed class Cluster : IAsyncDisposable
{
    private readonly EmbeddedApiServer _server;
    private readonly ControlPlane _plane;
    private readonly Settling _settling;
    private readonly ApiHost? _host;

    private Cluster(EmbeddedApiServer server, ControllerContext context, ControlPlane plane, ApiHost? host, ProcessNodes? nodes)
    {
        (_server, _plane, _host, Nodes, Context) = (server, plane, host, nodes, context);
        _settling = new Settling(server, context);
    }

    /// <summary>The API for callers in this process.</summary>
    public IClusterApi Api => _server.Api;

    /// <summary>Where the API is served over HTTPS; null when it is not.</summary>
    public Uri? Address => _host?.Address;

    /// <summary>The machines whose pods are processes; null when there are none.</summary>
    public ProcessNodes? Nodes { get; }

    internal ControllerContext Context { get; }

    /// <exception cref="IOException">The port is taken, or the nodes' data directory is in use.</exception>
    public static async Task<Cluster> StartAsync(ClusterOptions options, TimeProvider clock, CancellationToken ct)
    {
        var server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = clock, Seed = options.Seed, Rbac = options.Http?.Rbac == true, DataDirectory = options.ApiDataDirectory }, ct);
        var context = new ControllerContext(server.Api, new CacheSet(server.Api, clock, options.Loggers), new Activity(), clock, options.Loggers);
        var plane = new ControlPlane(context, server.Context.Kinds, options.NodeLifecycle);
        await plane.StartAsync(ct);
        var logs = new RoutedPodLogs();
        var host = options.Http is { } http ? await ApiHost.StartAsync(server, http with { Logs = logs }, ct) : null;
        var nodes = options.Nodes is { } wanted ? await ProcessNodes.StartAsync(context, wanted with { ApiServer = host?.Address }, ct) : null;
        logs.Target = nodes;
        return new(server, context, plane, host, nodes);
    }

    /// <summary>A kubeconfig of the cluster's administrator.</summary>
    /// <exception cref="InvalidOperationException">The API is not served over HTTPS.</exception>
    public string AdminKubeconfig() => (_host ?? throw new InvalidOperationException("This cluster has no HTTPS face.")).AdminKubeconfig();

    /// <summary>
    /// Completes when nothing is left to do at the present time: every cache has seen every write and every queue is empty. Work that waits for the clock does
    /// not count, nor do processes, so a test in virtual time alternates this with moving the clock.
    /// </summary>
    public Task IdleAsync(CancellationToken ct = default) => _settling.IdleAsync(ct);

    public async ValueTask DisposeAsync()
    {
        if (Nodes is not null) await Nodes.DisposeAsync();
        if (_host is not null) await _host.DisposeAsync();
        await _plane.DisposeAsync();
        await _server.DisposeAsync();
    }
}
