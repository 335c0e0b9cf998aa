using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>The status of a set, counted from its pods.</summary>
internal static class StatefulSetStatus
{
    public static JsonObject Observe(JsonObject set, StatefulSetSpec spec, StatefulSetRevisions revisions, IReadOnlyList<SetPod> pods)
    {
        var ready = pods.Count(pod => pod.IsReady);
        var updated = pods.Count(pod => !pod.IsTerminating && pod.Revision == revisions.Update.Name);
        var current = pods.Count(pod => !pod.IsTerminating && pod.Revision == revisions.Current.Name);
        var currentName = revisions.Current.Name;

        // A rolling update that has reached every pod makes the update revision the current one; with OnDelete it never does.
        if (!spec.IsOnDelete && updated == pods.Count && ready == pods.Count && pods.Count == spec.Replicas)
        {
            (current, currentName) = (updated, revisions.Update.Name);
        }

        var status = new JsonObject { ["observedGeneration"] = set.Generation, ["replicas"] = pods.Count };
        AddUnlessZero(status, "readyReplicas", ready);
        AddUnlessZero(status, "currentReplicas", current);
        AddUnlessZero(status, "updatedReplicas", updated);
        status["currentRevision"] = currentName;
        status["updateRevision"] = revisions.Update.Name;
        status["collisionCount"] = set.Number("status", "collisionCount") ?? 0;
        status["availableReplicas"] = pods.Count(spec.IsAvailable);
        return status;
    }

    /// <summary>When the next ready pod becomes available, for sets with minReadySeconds.</summary>
    public static TimeSpan? NextAvailable(StatefulSetSpec spec, IReadOnlyList<SetPod> pods) => spec.MinReady == TimeSpan.Zero ? null : pods
        .Where(pod => pod.IsReady && !spec.IsAvailable(pod)).Select(pod => pod.ReadySince + spec.MinReady - spec.Now).Min();

    private static void AddUnlessZero(JsonObject status, string field, int count)
    {
        if (count > 0) status[field] = count;
    }
}
