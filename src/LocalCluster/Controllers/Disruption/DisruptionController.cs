using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Disruption;

/// <summary>Keeps the status of every PodDisruptionBudget, which the eviction subresource decides by.</summary>
internal sealed class DisruptionController : IController
{
    private readonly ControllerContext _context;
    private readonly ControllerLoop<ObjectKey> _loop;
    private readonly Executor _executor;

    public DisruptionController(ControllerContext context)
    {
        _context = context;
        _loop = context.Loop<ObjectKey>("disruption", ReconcileAsync);
        _executor = context.ExecutorFor("controllermanager");
        context.Caches.Of(Kinds.DisruptionBudgets).Subscribe(change => _loop.Enqueue(change.Key));
        context.Pods.Subscribe(change => EnqueueIn(change.Latest.Namespace));
        context.Caches.Of(Kinds.StatefulSets).Subscribe(change => EnqueueIn(change.Latest.Namespace));
        context.Caches.Of(Kinds.ReplicaSets).Subscribe(change => EnqueueIn(change.Latest.Namespace));
    }

    public Task RunAsync(CancellationToken ct) => _loop.RunAsync(ct);

    private void EnqueueIn(string @namespace)
    {
        foreach (var budget in _context.Caches.Of(Kinds.DisruptionBudgets).In(@namespace)) _loop.Enqueue(budget.Key);
    }

    private async Task<TimeSpan?> ReconcileAsync(ObjectKey key, CancellationToken ct)
    {
        if (_context.Caches.Of(Kinds.DisruptionBudgets).Get(key) is not { } budget || LabelSelector.FromAccepted(budget.At("spec", "selector")) is not { } selector) return null;
        var pods = _context.Pods.In(key.Namespace).Where(pod => !pod.IsFinished && selector.Matches(pod.Labels)).ToList();
        var decision = DisruptionDecision.Decide(budget, pods, Expected(key.Namespace, pods), _context.Now);
        await _executor.RunAsync(decision.Acts, ct);
        return decision.LookAgain;
    }

    private int Expected(string @namespace, List<JsonObject> pods) =>
        pods.Select(pod => pod.ControllerOwner).OfType<OwnerReference>().Distinct().Sum(owner => Replicas(@namespace, owner));

    private int Replicas(string @namespace, OwnerReference owner)
    {
        var resource = owner.Kind switch { "StatefulSet" => Kinds.StatefulSets, "ReplicaSet" => Kinds.ReplicaSets, _ => default };
        if (resource.Plural is null || _context.Caches.Of(resource).Get(new(@namespace, owner.Name)) is not { } set || set.Uid != owner.Uid) return 0;
        if (set.ControllerOwner is { Kind: "Deployment" } deployment && _context.Caches.Of(Kinds.Deployments).Get(new(@namespace, deployment.Name)) is { } whole) set = whole;
        return (int)(set.Number("spec", "replicas") ?? 1);
    }
}
