using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>
/// What the StatefulSet controller does next, from what it observed. As in Kubernetes: ordered management does one step at a time and
/// waits for every predecessor to be running and ready, parallel management does all at once; a Failed or Succeeded pod is deleted and comes
/// back under its name; scale-down takes the highest ordinals; with OnDelete a new pod always comes from the newest template.
/// </summary>
internal static class StatefulSetDecision
{
    public static Decision Decide(JsonObject set, IReadOnlyList<SetPod> pods, IReadOnlyList<JsonObject> history, DateTimeOffset now)
    {
        var spec = StatefulSetSpec.Of(set) with { Now = now };
        var revisions = StatefulSetRevisions.Decide(set, history, pods);
        var status = StatefulSetStatus.Observe(set, spec, revisions, pods);
        var acts = new List<Act>(revisions.Acts);
        var stillCurrent = (int)(status.Number("currentReplicas") ?? 0);
        if (!set.IsTerminating) acts.AddRange(Converge(set, spec, revisions with { StillCurrent = stillCurrent }, pods));
        if (!JsonNode.DeepEquals(status, set["status"])) acts.Add(Act.ReplaceStatus(Kinds.StatefulSets, set, status));
        return new(acts, StatefulSetStatus.NextAvailable(spec, pods));
    }

    private static IEnumerable<Act> Converge(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, IReadOnlyList<SetPod> pods)
    {
        var byOrdinal = pods.Where(pod => pod.Ordinal is not null).ToDictionary(pod => pod.Ordinal!.Value);
        var waiting = false;

        for (var ordinal = spec.FirstOrdinal; ordinal < spec.EndOrdinal; ordinal++)
        {
            var (act, settled) = Replica(set, spec, revisions, byOrdinal.GetValueOrDefault(ordinal), ordinal);
            if (act is not null) yield return act;
            if (settled) continue;
            waiting = true;
            if (!spec.IsParallel) yield break;
        }

        foreach (var (act, done) in Condemned(set, spec, byOrdinal))
        {
            if (act is not null) yield return act;
            if (!done && !spec.IsParallel) yield break;
        }

        if (spec.IsOnDelete || (waiting && !spec.IsParallel)) yield break;
        foreach (var act in RollingUpdate(set, spec, revisions, byOrdinal)) yield return act;
    }

    /// <summary>Settled means that ordered management may go on to the next ordinal.</summary>
    private static (Act? Act, bool Settled) Replica(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, SetPod? pod, int ordinal)
    {
        if (pod is null) return (Create(set, spec, revisions, ordinal), false);
        if (pod.IsFinished)
        {
            return (pod.IsTerminating ? null : new Act.Delete(Kinds.Pods, pod.Object, Announcement.Warning(
                set, "RecreatingFailedPod", $"StatefulSet {set.Key} is recreating failed Pod {pod.Name}")), false);
        }

        return (null, spec.IsHealthy(pod));
    }

    private static Act.Create Create(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, int ordinal)
    {
        var name = $"{set.Name}-{ordinal}";
        var rolledSoFar = set.At("spec", "updateStrategy", "rollingUpdate") is null
            ? spec.FirstOrdinal + revisions.StillCurrent
            : spec.FirstOrdinal + spec.Partition;
        var revision = !spec.IsOnDelete && ordinal < rolledSoFar ? revisions.Current : revisions.Update;
        return new(Kinds.Pods, StatefulSetPod.Render(set, revision, ordinal), new Announcement(
            set, "Normal", "SuccessfulCreate", $"create Pod {name} in StatefulSet {set.Name} successful",
            "FailedCreate", $"create Pod {name} in StatefulSet {set.Name} failed error: {{0}}"));
    }

    private static IEnumerable<(Act? Act, bool Done)> Condemned(JsonObject set, StatefulSetSpec spec, Dictionary<int, SetPod> pods)
    {
        var firstUnhealthy = pods.OrderBy(p => p.Key).FirstOrDefault(p => p.Value.IsTerminating || !p.Value.IsReady).Value;
        foreach (var (_, pod) in pods.Where(p => !spec.Covers(p.Key)).OrderByDescending(p => p.Key))
        {
            if (pod.IsTerminating)
            {
                yield return (null, false);
                continue;
            }

            // An unhealthy pod that is not the one holding everything up is left until the one before it is healthy.
            var blocked = !spec.IsParallel && !spec.IsHealthy(pod) && !ReferenceEquals(pod, firstUnhealthy);
            yield return (blocked ? null : Remove(set, pod), false);
        }
    }

    private static IEnumerable<Act> RollingUpdate(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, Dictionary<int, SetPod> pods)
    {
        var unavailable = pods.Count(p => spec.Covers(p.Key) && !spec.IsHealthy(p.Value));
        for (var ordinal = spec.EndOrdinal - 1; ordinal >= spec.FirstOrdinal + spec.Partition; ordinal--)
        {
            if (!pods.TryGetValue(ordinal, out var pod)) yield break;
            if (pod.Revision != revisions.Update.Name && !pod.IsTerminating)
            {
                if (spec.IsHealthy(pod) && unavailable >= spec.MaxUnavailable) yield break;
                if (spec.IsHealthy(pod)) unavailable++;
                yield return Remove(set, pod);
                if (unavailable >= spec.MaxUnavailable) yield break;
            }
            else if (!spec.IsHealthy(pod) && unavailable >= spec.MaxUnavailable)
            {
                yield break;
            }
        }
    }

    private static Act.Delete Remove(JsonObject set, SetPod pod) => new(Kinds.Pods, pod.Object, new Announcement(
        set, "Normal", "SuccessfulDelete", $"delete Pod {pod.Name} in StatefulSet {set.Name} successful",
        "FailedDelete", $"delete Pod {pod.Name} in StatefulSet {set.Name} failed error: {{0}}"));
}
