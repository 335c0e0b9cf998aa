using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.Kubernetes;
using Opt.Operator.Cluster;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>Gives nodes back when their quarantine is over, whether the job that put them aside still exists or not, and keeps their condition <see cref="NodeProblem"/> true.</summary>
internal sealed partial class NodeCaretaker(KubernetesClient client, OperatorMetrics metrics, TimeProvider clock, ILogger<NodeCaretaker> logger) : IEntityController<V1Node>
{
    public async Task<Requeue> ReconcileAsync(V1Node entity, CancellationToken ct)
    {
        var requeue = await GiveBackAsync(entity, ct);   // first: it must not wait for a condition that cannot be written
        if (NodeProblem.Patch(entity, clock.GetUtcNow()) is { } patch) await client.Resource(Resources.Nodes).PatchAsync(ObjectKey.Cluster(entity.Metadata.Name!), Patch.StrategicMerge(patch), ct, subresource: "status");
        return requeue;
    }

    private async Task<Requeue> GiveBackAsync(V1Node entity, CancellationToken ct)
    {
        var node = NodeReader.Read(entity);
        if (node.Quarantine is null && QuarantineTaint.IsOn(entity)) await client.Resource(Resources.Nodes).PatchAsync(ObjectKey.Cluster(node.Name), Patch.Merge(Untaint(entity)), ct);
        if (node.Quarantine?.Until is not { } until) return Requeue.WhenChanged;
        var now = clock.GetUtcNow();
        if (until > now) return Requeue.In(until - now);
        if (!NodeMemory.IsOver(node, now)) return Requeue.WhenChanged;   // until it is ready
        await client.Resource(Resources.Nodes).PatchAsync(ObjectKey.Cluster(node.Name), Patch.Merge(Release(entity, node.Quarantine)), ct);
        Log.Released(logger, node.Name, node.Quarantine.Reason);
        metrics.Released();
        return Requeue.WhenChanged;
    }

    /// <summary>With the version it was decided from: what a person changed meanwhile must not be undone.</summary>
    private static JsonObject Release(V1Node node, Quarantine quarantine)
    {
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["uid"] = node.Metadata.Uid,
                ["resourceVersion"] = node.Metadata.ResourceVersion,
                ["labels"] = new JsonObject { [Names.QuarantinedLabel] = null },
                ["annotations"] = new JsonObject { [Names.QuarantineAnnotation] = null },
            },
        };
        var spec = new JsonObject();
        if (!quarantine.KeepsCordon) spec["unschedulable"] = null;
        if (QuarantineTaint.IsOn(node)) spec["taints"] = QuarantineTaint.Without(node);
        if (spec.Count > 0) patch["spec"] = spec;
        return patch;
    }

    /// <summary>A label that a person removed takes its taint along.</summary>
    private static JsonObject Untaint(V1Node node) => new()
    {
        ["metadata"] = new JsonObject { ["uid"] = node.Metadata.Uid, ["resourceVersion"] = node.Metadata.ResourceVersion },
        ["spec"] = new JsonObject { ["taints"] = QuarantineTaint.Without(node) },
    };

    private static partial class Log   // 24xx: nodes
    {
        [LoggerMessage(2401, LogLevel.Information, "Node {Node} given back: its quarantine is over ({Reason})")]
        public static partial void Released(ILogger logger, string node, string reason);
    }
}
