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
    public static Decision Decide(JsonObject set, IReadOnlyList<JsonObject> pods, IReadOnlyList<JsonObject> history, DateTimeOffset now)
    {
        var spec = StatefulSetSpec.Of(set);
        var revisions = StatefulSetRevisions.Decide(set, history, pods);
        var status = StatefulSetStatus.Observe(set, spec, revisions, pods, now);
        var acts = new List<Act>(revisions.Acts);
        var stillCurrent = (int)(status.Number("currentReplicas") ?? 0);
        if (!set.IsTerminating) acts.AddRange(Converge(set, spec, revisions with { StillCurrent = stillCurrent }, pods, now));
        if (!JsonNode.DeepEquals(status, set["status"])) acts.Add(Act.ReplaceStatus(Kinds.StatefulSets, set, status));
        return new(acts, StatefulSetStatus.NextAvailable(spec, pods, now));
    }

    private static IEnumerable<Act> Converge(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, IReadOnlyList<JsonObject> pods, DateTimeOffset now)
    {
        var byOrdinal = pods.Select(pod => (Pod: pod, Ordinal: StatefulSetSpec.OrdinalOf(set, pod.Name)))
            .Where(p => p.Ordinal is not null).ToDictionary(p => p.Ordinal!.Value, p => p.Pod);
        var waiting = false;

        for (var ordinal = spec.FirstOrdinal; ordinal < spec.EndOrdinal; ordinal++)
        {
            var (act, settled) = Replica(set, spec, revisions, byOrdinal.GetValueOrDefault(ordinal), ordinal, now);
            if (act is not null) yield return act;
            if (settled) continue;
            waiting = true;
            if (!spec.IsParallel) yield break;
        }

        foreach (var (act, done) in Condemned(set, spec, byOrdinal, now))
        {
            if (act is not null) yield return act;
            if (!done && !spec.IsParallel) yield break;
        }

        if (spec.IsOnDelete || (waiting && !spec.IsParallel)) yield break;
        foreach (var act in RollingUpdate(set, spec, revisions, byOrdinal, now)) yield return act;
    }

    /// <summary>Settled means that ordered management may go on to the next ordinal.</summary>
    private static (Act? Act, bool Settled) Replica(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, JsonObject? pod, int ordinal, DateTimeOffset now)
    {
        if (pod is null) return (Create(set, spec, revisions, ordinal), false);
        if (pod.IsFinished)
        {
            return (pod.IsTerminating ? null : new Act.Delete(Kinds.Pods, pod, Announcement.Warning(
                set, "RecreatingFailedPod", $"StatefulSet {set.Key} is recreating failed Pod {pod.Name}")), false);
        }

        return (null, !pod.IsTerminating && pod.IsRunningAndReady && pod.IsAvailable(spec.MinReady, now));
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

    private static IEnumerable<(Act? Act, bool Done)> Condemned(JsonObject set, StatefulSetSpec spec, Dictionary<int, JsonObject> pods, DateTimeOffset now)
    {
        var firstUnhealthy = pods.OrderBy(p => p.Key).FirstOrDefault(p => p.Value.IsTerminating || !p.Value.IsRunningAndReady).Value;
        foreach (var (_, pod) in pods.Where(p => !spec.Covers(p.Key)).OrderByDescending(p => p.Key))
        {
            if (pod.IsTerminating)
            {
                yield return (null, false);
                continue;
            }

            // An unhealthy pod that is not the one holding everything up is left until the one before it is healthy.
            var healthy = pod.IsRunningAndReady && pod.IsAvailable(spec.MinReady, now);
            var blocked = !spec.IsParallel && !healthy && !ReferenceEquals(pod, firstUnhealthy);
            yield return (blocked ? null : Remove(set, pod), false);
        }
    }

    private static IEnumerable<Act> RollingUpdate(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, Dictionary<int, JsonObject> pods, DateTimeOffset now)
    {
        var unavailable = pods.Count(p => spec.Covers(p.Key) && !(p.Value.IsRunningAndReady && p.Value.IsAvailable(spec.MinReady, now) && !p.Value.IsTerminating));
        for (var ordinal = spec.EndOrdinal - 1; ordinal >= spec.FirstOrdinal + spec.Partition; ordinal--)
        {
            if (!pods.TryGetValue(ordinal, out var pod)) yield break;
            var healthy = !pod.IsTerminating && pod.IsRunningAndReady && pod.IsAvailable(spec.MinReady, now);
            if (StatefulSetRevisions.RevisionOf(pod) != revisions.Update.Name && !pod.IsTerminating)
            {
                if (healthy && unavailable >= spec.MaxUnavailable) yield break;
                if (healthy) unavailable++;
                yield return Remove(set, pod);
                if (unavailable >= spec.MaxUnavailable) yield break;
            }
            else if (!healthy && unavailable >= spec.MaxUnavailable)
            {
                yield break;
            }
        }
    }

    private static Act.Delete Remove(JsonObject set, JsonObject pod) => new(Kinds.Pods, pod, new Announcement(
        set, "Normal", "SuccessfulDelete", $"delete Pod {pod.Name} in StatefulSet {set.Name} successful",
        "FailedDelete", $"delete Pod {pod.Name} in StatefulSet {set.Name} failed error: {{0}}"));
}
