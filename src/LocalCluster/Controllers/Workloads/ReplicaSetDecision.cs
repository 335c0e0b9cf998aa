using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>Keeps the wanted number of pods: creates what is missing, removes the least useful of what is too much.</summary>
internal static class ReplicaSetDecision
{
    public static Decision Decide(JsonObject set, IReadOnlyList<JsonObject> pods, DateTimeOffset now)
    {
        var active = pods.Where(pod => !pod.IsFinished && !pod.IsTerminating).ToList();
        var wanted = (int)(set.Number("spec", "replicas") ?? 1);
        List<Act> acts = [];
        if (!set.IsTerminating)
        {
            acts.AddRange(Enumerable.Range(0, Math.Max(0, wanted - active.Count)).Select(_ => Create(set)));
            acts.AddRange(LeastUsefulFirst(active).Take(Math.Max(0, active.Count - wanted)).Select(pod => Remove(set, pod)));
        }

        var status = Status(set, active, now);
        if (!JsonNode.DeepEquals(status, set["status"])) acts.Add(Act.ReplaceStatus(Kinds.ReplicaSets, set, status));
        return new(acts, MinReady(set) == TimeSpan.Zero ? null : MinReady(set));
    }

    private static JsonObject Status(JsonObject set, List<JsonObject> active, DateTimeOffset now)
    {
        var template = LabelSelector.FromMap(set.At("spec", "template", "metadata", "labels") as JsonObject);
        var status = new JsonObject { ["replicas"] = active.Count };
        Add(status, "fullyLabeledReplicas", active.Count(pod => template.Matches(pod.Labels)));
        Add(status, "readyReplicas", active.Count(pod => pod.IsPodReady));
        Add(status, "availableReplicas", active.Count(pod => pod.IsAvailable(MinReady(set), now)));
        status["observedGeneration"] = set.Generation;
        return status;
    }

    private static TimeSpan MinReady(JsonObject set) => TimeSpan.FromSeconds(set.Number("spec", "minReadySeconds") ?? 0);

    private static void Add(JsonObject status, string field, int count)
    {
        if (count > 0) status[field] = count;
    }

    private static Act.Create Create(JsonObject set)
    {
        var template = (JsonObject)set.At("spec", "template")!;
        var metadata = (template["metadata"] as JsonObject)?.Copy() ?? [];
        metadata["generateName"] = $"{set.Name}-";
        metadata["namespace"] = set.Namespace;
        metadata["ownerReferences"] = OwnerReference.ToController("apps/v1", "ReplicaSet", set);
        var pod = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = metadata, ["spec"] = template["spec"]!.DeepClone() };
        return new(Kinds.Pods, pod, new(set, "Normal", "SuccessfulCreate", "Created pod: {name}", "FailedCreate", "Error creating: {0}"));
    }

    private static Act.Delete Remove(JsonObject set, JsonObject pod) => new(Kinds.Pods, pod, new(
        set, "Normal", "SuccessfulDelete", $"Deleted pod: {pod.Name}", "FailedDelete", "Error deleting: {0}"));

    // Kubernetes' order: unassigned before assigned, pending before running, unready before ready, then the youngest.
    private static IEnumerable<JsonObject> LeastUsefulFirst(IEnumerable<JsonObject> pods) => pods
        .OrderBy(pod => pod.NodeName.Length > 0)
        .ThenBy(pod => pod.Phase switch { "Pending" => 0, "Unknown" => 1, _ => 2 })
        .ThenBy(pod => pod.IsPodReady)
        .ThenByDescending(pod => pod.CreationTime)
        .ThenBy(pod => pod.Name, StringComparer.Ordinal);
}
