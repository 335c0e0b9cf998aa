using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>Moves a Deployment's pods from its old ReplicaSets to the one of its current template, within surge and unavailability bounds.</summary>
internal static class DeploymentDecision
{
    private const string HashLabel = "pod-template-hash";
    private const string RevisionAnnotation = "deployment.kubernetes.io/revision";

    public static Decision Decide(JsonObject deployment, IReadOnlyList<JsonObject> sets, DateTimeOffset now)
    {
        var hash = RevisionHash.Of(deployment.At("spec", "template")!, deployment.Number("status", "collisionCount") ?? 0);
        var current = sets.FirstOrDefault(set => set.Labels.GetValueOrDefault(HashLabel) == hash);
        var old = sets.Where(set => !ReferenceEquals(set, current)).ToList();
        List<Act> acts = [];
        if (!deployment.IsTerminating && !deployment.Flag("spec", "paused"))
        {
            acts.AddRange(current is null ? [CreateSet(deployment, hash, old)] : Roll(deployment, current, old));
            acts.AddRange(Forget(deployment, old));
        }

        acts.AddRange(DeploymentStatus.Decide(deployment, current, sets, now));
        return new(acts);
    }

    private static IEnumerable<Act> Roll(JsonObject deployment, JsonObject current, List<JsonObject> old)
    {
        var number = NextRevision(old).ToString(CultureInfo.InvariantCulture);
        if (!old.TrueForAll(set => Revision(set) < Revision(current)) || !current.Annotations.ContainsKey(RevisionAnnotation)) yield return Annotate(Kinds.ReplicaSets, current, number);
        else number = current.Annotations[RevisionAnnotation];
        if (deployment.Annotations.GetValueOrDefault(RevisionAnnotation) != number) yield return Annotate(Kinds.Deployments, deployment, number);

        var wanted = Replicas(deployment);
        var recreate = deployment.Text("spec", "strategy", "type") == "Recreate";
        var surge = recreate ? 0 : Percentage.Of(deployment.At("spec", "strategy", "rollingUpdate", "maxSurge"), wanted, roundUp: true) ?? 1;
        var unavailable = recreate ? wanted : Percentage.Of(deployment.At("spec", "strategy", "rollingUpdate", "maxUnavailable"), wanted, roundUp: false) ?? 0;
        if (surge == 0 && unavailable == 0) unavailable = 1;
        foreach (var act in ScaleUp(deployment, current, old, wanted, surge, recreate)) yield return act;
        foreach (var act in ScaleDown(deployment, current, old, wanted, unavailable, recreate)) yield return act;
    }

    private static IEnumerable<Act> ScaleUp(JsonObject deployment, JsonObject current, List<JsonObject> old, int wanted, int surge, bool recreate)
    {
        var others = old.Sum(set => (int)(set.Number("status", "replicas") ?? 0) is var seen && seen > Replicas(set) ? seen : Replicas(set));
        if (recreate && others > 0) yield break;
        var target = Math.Min(wanted, Math.Max(Replicas(current), wanted + surge - others));
        if (Replicas(current) > wanted) target = wanted;
        if (target != Replicas(current)) yield return Scale(deployment, current, target);
    }

    private static IEnumerable<Act> ScaleDown(JsonObject deployment, JsonObject current, List<JsonObject> old, int wanted, int unavailable, bool recreate)
    {
        var available = (int)((current.Number("status", "availableReplicas") ?? 0) + old.Sum(set => set.Number("status", "availableReplicas") ?? 0));
        var spare = recreate ? int.MaxValue : available - (wanted - unavailable);
        foreach (var set in old.Where(set => Replicas(set) > 0).OrderBy(set => set.CreationTime))
        {
            // Replicas that are not available anyway go first and cost nothing.
            var broken = Replicas(set) - (int)Math.Min(Replicas(set), set.Number("status", "availableReplicas") ?? 0);
            var healthy = (int)Math.Clamp((long)spare, 0, Replicas(set) - broken);
            spare -= recreate ? 0 : healthy;
            if (broken + healthy > 0) yield return Scale(deployment, set, Replicas(set) - broken - healthy);
        }
    }

    private static int Replicas(JsonObject o) => (int)(o.Number("spec", "replicas") ?? 1);

    private static long Revision(JsonObject set) => long.TryParse(set.Annotations.GetValueOrDefault(RevisionAnnotation), out var number) ? number : 0;

    private static long NextRevision(List<JsonObject> old) => old.Select(Revision).DefaultIfEmpty(0).Max() + 1;

    private static IEnumerable<Act> Forget(JsonObject deployment, List<JsonObject> old)
    {
        var limit = (int)(deployment.Number("spec", "revisionHistoryLimit") ?? 10);
        var empty = old.Where(set => Replicas(set) == 0 && (set.Number("status", "replicas") ?? 0) == 0 && !set.IsTerminating).OrderByDescending(Revision);
        return empty.Skip(limit).Select(set => new Act.Delete(Kinds.ReplicaSets, set));
    }

    private static Act.Create CreateSet(JsonObject deployment, string hash, List<JsonObject> old)
    {
        var template = (JsonObject)deployment.At("spec", "template")!.DeepClone();
        template.Ensure("metadata", "labels")[HashLabel] = hash;
        var selector = (JsonObject)deployment.At("spec", "selector")!.DeepClone();
        selector.Ensure("matchLabels")[HashLabel] = hash;
        var annotations = (deployment.At("metadata", "annotations") as JsonObject)?.Copy() ?? [];
        annotations.Remove("kubectl.kubernetes.io/last-applied-configuration");
        annotations["deployment.kubernetes.io/desired-replicas"] = Replicas(deployment).ToString(CultureInfo.InvariantCulture);
        annotations[RevisionAnnotation] = NextRevision(old).ToString(CultureInfo.InvariantCulture);
        var body = new JsonObject
        {
            ["apiVersion"] = "apps/v1",
            ["kind"] = "ReplicaSet",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{deployment.Name}-{hash}", ["namespace"] = deployment.Namespace,
                ["labels"] = template.At("metadata", "labels")!.DeepClone(), ["annotations"] = annotations,
                ["ownerReferences"] = OwnerReference.ToController("apps/v1", "Deployment", deployment),
            },
            // It starts empty: the next look scales it within the bounds.
            ["spec"] = new JsonObject { ["replicas"] = 0, ["selector"] = selector, ["template"] = template },
        };
        if (deployment.At("spec", "minReadySeconds") is { } minReady) body.Ensure("spec")["minReadySeconds"] = minReady.DeepClone();
        return new(Kinds.ReplicaSets, body);
    }

    private static Act.Patch Annotate(ApiServer.ResourceId resource, JsonObject o, string revision) => new(
        resource, o, ApiServer.PatchKind.Merge, new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [RevisionAnnotation] = revision } } });

    private static Act.Replace Scale(JsonObject deployment, JsonObject set, int replicas)
    {
        var scaled = set.Copy();
        scaled.Ensure("spec")["replicas"] = replicas;
        scaled.Ensure("metadata", "annotations")["deployment.kubernetes.io/desired-replicas"] = Replicas(deployment).ToString(CultureInfo.InvariantCulture);
        var word = replicas > Replicas(set) ? "up" : "down";
        return new(Kinds.ReplicaSets, scaled, Said: Announcement.Normal(
            deployment, "ScalingReplicaSet", $"Scaled {word} replica set {set.Name} from {Replicas(set)} to {replicas}"));
    }
}
