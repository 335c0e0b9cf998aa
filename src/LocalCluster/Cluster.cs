using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Runtime;

namespace Opt.LocalCluster;

/// <summary>
/// A Kubernetes control plane in this process: API server, controllers and scheduler. Nodes are added to it: real ones that run processes, or simulated ones.
/// </summary>
public sealed class Cluster : IAsyncDisposable
{
    private readonly EmbeddedApiServer _server;
    private readonly ControlPlane _plane;
    private readonly Settling _settling;

    private Cluster(EmbeddedApiServer server, ControllerContext context, ControlPlane plane)
    {
        _server = server;
        _plane = plane;
        Context = context;
        _settling = new Settling(server, context);
    }

    public IClusterApi Api => _server.Api;

    internal ControllerContext Context { get; }

    public static async Task<Cluster> StartAsync(ClusterOptions options, TimeProvider clock, CancellationToken ct)
    {
        var server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = clock, Seed = options.Seed }, ct);
        var context = new ControllerContext(server.Api, new CacheSet(server.Api, clock, options.Loggers), new Activity(), clock, options.Loggers);
        var plane = new ControlPlane(context, server.Context.Kinds, options.NodeLifecycle);
        await plane.StartAsync(ct);
        return new(server, context, plane);
    }

    /// <summary>
    /// Completes when nothing is left to do at the present time: every cache has seen every write and every queue is empty. Work that waits for the clock does
    /// not count, so a test in virtual time alternates this with moving the clock.
    /// </summary>
    public Task IdleAsync(CancellationToken ct = default) => _settling.IdleAsync(ct);

    public async ValueTask DisposeAsync()
    {
        await _plane.DisposeAsync();
        await _server.DisposeAsync();
    }
}
