using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.Controllers.Disruption;
using Opt.LocalCluster.Controllers.Garbage;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Controllers.Services;
using Opt.LocalCluster.Controllers.StatefulSets;
using Opt.LocalCluster.Controllers.Workloads;
using Opt.LocalCluster.Objects;
using Opt.LocalCluster.Scheduling;

namespace Opt.LocalCluster.Controllers;

/// <summary>Every controller of the cluster, and the scheduler: this list is the map.</summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private readonly ControllerContext _context;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<IController> _controllers;
    private readonly List<Task> _running = [];

    public ControlPlane(ControllerContext context, KindRegistry kinds, NodeLifecycleOptions nodes)
    {
        _context = context;
        context.Pods.WithIndex(ControllerContext.ByOwner, Owners.IndexOf).WithIndex(ControllerContext.ByNode, pod => [pod.NodeName]);
        context.Caches.Of(Kinds.ControllerRevisions).WithIndex(ControllerContext.ByOwner, Owners.IndexOf);
        context.Caches.Of(Kinds.ReplicaSets).WithIndex(ControllerContext.ByOwner, Owners.IndexOf);
        _ = context.Caches.Of(Kinds.Leases);
        _controllers =
        [
            new StatefulSetController(context),
            new ReplicaSetController(context),
            new DeploymentController(context),
            new JobController(context),
            new DisruptionController(context),
            new EndpointsController(context),
            new NodeLifecycleController(context, nodes),
            new TaintEvictionController(context),
            new PodGarbageController(context, nodes),
            new GarbageCollector(context, kinds),
            new Scheduler(context),
        ];
    }

    /// <summary>Fills the caches and starts every controller.</summary>
    public async Task StartAsync(CancellationToken ct)
    {
        _context.Caches.Start(_stop.Token);
        await _context.Caches.SyncedAsync(ct);
        _running.AddRange(_controllers.Select(controller => controller.RunAsync(_stop.Token)));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_running);
        await _context.Caches.StoppedAsync();
        _stop.Dispose();
    }
}
