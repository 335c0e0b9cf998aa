using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>The status of a set, counted from its pods.</summary>
internal static class StatefulSetStatus
{
    public static JsonObject Observe(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, IReadOnlyList<JsonObject> pods, DateTimeOffset now)
    {
        var living = pods.Where(pod => !pod.IsTerminating).ToList();
        var ready = pods.Where(pod => pod.IsRunningAndReady).ToList();
        var updated = living.Count(pod => StatefulSetRevisions.RevisionOf(pod) == revisions.Update.Name);
        var current = living.Count(pod => StatefulSetRevisions.RevisionOf(pod) == revisions.Current.Name);
        var currentName = revisions.Current.Name;

        // A rolling update that has reached every pod makes the update revision the current one; with OnDelete it never does.
        if (!spec.IsOnDelete && updated == pods.Count && ready.Count == pods.Count && pods.Count == spec.Replicas)
        {
            (current, currentName) = (updated, revisions.Update.Name);
        }

        var status = new JsonObject { ["observedGeneration"] = set.Generation, ["replicas"] = pods.Count };
        AddUnlessZero(status, "readyReplicas", ready.Count);
        AddUnlessZero(status, "currentReplicas", current);
        AddUnlessZero(status, "updatedReplicas", updated);
        status["currentRevision"] = currentName;
        status["updateRevision"] = revisions.Update.Name;
        status["collisionCount"] = set.Number("status", "collisionCount") ?? 0;
        status["availableReplicas"] = ready.Count(pod => pod.IsAvailable(spec.MinReady, now));
        return status;
    }

    /// <summary>When the next ready pod becomes available, for sets with minReadySeconds.</summary>
    public static TimeSpan? NextAvailable(StatefulSetSpec spec, IReadOnlyList<JsonObject> pods, DateTimeOffset now) => spec.MinReady == TimeSpan.Zero ? null : pods
        .Where(pod => pod.IsPodReady && !pod.IsAvailable(spec.MinReady, now))
        .Select(pod => Condition.Find(pod, "Ready").Time("lastTransitionTime") + spec.MinReady - now).Min();

    private static void AddUnlessZero(JsonObject status, string field, int count)
    {
        if (count > 0) status[field] = count;
    }
}
