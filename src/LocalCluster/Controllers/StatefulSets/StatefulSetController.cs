using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Controllers.Workloads;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>Runs <see cref="StatefulSetDecision"/> for every set that changed, or whose pods or revisions did.</summary>
internal sealed class StatefulSetController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    // Objects in the cache never change, so what was read of one stays true as long as it lives; a pass over thousands of pods is then cheap.
    private readonly ConditionalWeakTable<JsonObject, SetPod> _read = [];

    public StatefulSetController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("statefulset", ReconcileAsync);
        _executor = context.ExecutorFor("statefulset-controller");
        context.Caches.Of(Kinds.StatefulSets).Subscribe(change => _loop.Enqueue(change.Key));
        context.Pods.Subscribe(change => Owners.Enqueue(_loop, "StatefulSet", change));
        context.Caches.Of(Kinds.ControllerRevisions).Subscribe(change => Owners.Enqueue(_loop, "StatefulSet", change));
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Caches.Of(Kinds.StatefulSets).Get(key) is not { } set) return null;
        await _executor.RunAsync(Adoption.Decide("apps/v1", "StatefulSet", set, Orphans(set)), ct);
        var pods = _context.Owned(Kinds.Pods, set.Uid).Select(pod => _read.GetValue(pod, p => SetPod.Read(set, p))).ToList();
        var revisions = _context.Owned(Kinds.ControllerRevisions, set.Uid);
        var decision = StatefulSetDecision.Decide(set, pods, revisions, _context.Now);
        await _executor.RunAsync(decision.Acts, ct);
        return decision.LookAgain;
    }

    private IEnumerable<JsonObject> Orphans(JsonObject set) =>
        _context.Owned(Kinds.Pods, "").Where(pod => pod.Namespace == set.Namespace && StatefulSetSpec.OrdinalOf(set, pod.Name) is not null);
}
