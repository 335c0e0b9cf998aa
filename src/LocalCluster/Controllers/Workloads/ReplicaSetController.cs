using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>Runs <see cref="ReplicaSetDecision"/>.</summary>
internal sealed class ReplicaSetController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    public ReplicaSetController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("replicaset", ReconcileAsync);
        _executor = context.ExecutorFor("replicaset-controller");
        context.Caches.Of(Kinds.ReplicaSets).Subscribe(change => _loop.Enqueue(change.Key));
        context.Pods.Subscribe(change => Owners.Enqueue(_loop, "ReplicaSet", change));
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Caches.Of(Kinds.ReplicaSets).Get(key) is not { } set) return null;
        var orphans = _context.Owned(Kinds.Pods, "").Where(pod => pod.Namespace == set.Namespace);
        await _executor.RunAsync(Adoption.Decide("apps/v1", "ReplicaSet", set, orphans), ct);
        var decision = ReplicaSetDecision.Decide(set, _context.Owned(Kinds.Pods, set.Uid), _context.Now);
        await _executor.RunAsync(decision.Acts, ct);
        return decision.LookAgain;
    }
}
