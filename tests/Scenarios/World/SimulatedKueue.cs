using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;

namespace Opt.Scenarios.World;

/// <summary>
/// Kueue as far as a StatefulSet in a queue meets it: its pods are held by a scheduling gate until their workload is admitted, all at once, and its webhook
/// refuses some edits of the set (kubernetes-sigs/kueue, pkg/controller/jobs/statefulset).
/// </summary>
internal sealed class SimulatedKueue(IClusterApi api)
{
    public const string Gate = "kueue.x-k8s.io/admission", QueueLabel = "kueue.x-k8s.io/queue-name";
    private static readonly Caller Kueue = new("system:serviceaccount:kueue-system:kueue-controller-manager", "kueue", ["system:masters"]);

    // What of a container and of a pod spec its webhook holds: a workload's shape, from which it counts quota.
    private static readonly string[] Shape = ["nodeSelector", "affinity", "tolerations", "runtimeClassName", "priority", "topologySpreadConstraints", "overhead", "resourceClaims", "resources"];

    /// <summary>Takes the gate off all pods that have one: there is quota now.</summary>
    public async Task<int> AdmitAsync(string @namespace, CancellationToken ct)
    {
        var gated = (await api.ListAsync(ResourceId.Pods, @namespace, ListQuery.All, ct))["items"]!.AsArray().Where(p => p!["spec"]!["schedulingGates"] is JsonArray { Count: > 0 }).ToArray();
        foreach (var pod in gated) await api.PatchAsync(ResourceId.Pods, @namespace, (string)pod!["metadata"]!["name"]!, PatchKind.Merge, new JsonObject { ["spec"] = new JsonObject { ["schedulingGates"] = null } }, Kueue, ct);
        return gated.Length;
    }

    /// <summary>Every write of the set since the beginning that the webhook would have refused.</summary>
    public async Task<IReadOnlyList<string>> RefusedAsync(string @namespace, string name, string since, CancellationToken ct)
    {
        var newest = (string)(await api.GetAsync(ResourceId.StatefulSets, @namespace, name, ct))["metadata"]!["resourceVersion"]!;
        var refused = new List<string>();
        JsonObject? before = null;
        await foreach (var change in api.WatchAsync(ResourceId.StatefulSets, @namespace, since, ListQuery.All, ct))
        {
            if (before is not null) refused.AddRange(Faults(before, change.Object));
            before = change.Object;
            if ((string)before["metadata"]!["resourceVersion"]! == newest) break;
        }

        return refused;
    }

    private static IEnumerable<string> Faults(JsonObject old, JsonObject @new)
    {
        if ((string?)old["metadata"]!["labels"]?[QueueLabel] != (string?)@new["metadata"]!["labels"]?[QueueLabel]) yield return "metadata.labels: the queue changed";
        var (from, to) = ((int)old["spec"]!["replicas"]!, (int)@new["spec"]!["replicas"]!);
        if (from != to && from != 0 && to != 0) yield return $"spec.replicas: {from} to {to}";
        if (from == 0 && to > 0 && (int?)@new["status"]?["replicas"] > 0) yield return "spec.replicas: scaling down is still in progress";
        var (was, becomes) = (old["spec"]!["template"]!["spec"]!, @new["spec"]!["template"]!["spec"]!);
        foreach (var field in Shape.Where(f => !JsonNode.DeepEquals(was[f], becomes[f]))) yield return $"spec.template.spec.{field} changed";
        if (!JsonNode.DeepEquals(Containers(was), Containers(becomes))) yield return "spec.template.spec.containers: requests or ports changed";
    }

    private static JsonArray Containers(JsonNode spec) => [.. new[] { "initContainers", "containers" }.SelectMany(l => spec[l]?.AsArray() ?? []).Select(c => new JsonObject { ["requests"] = c!["resources"]?["requests"]?.DeepClone(), ["ports"] = c["ports"]?.DeepClone() })];
}
