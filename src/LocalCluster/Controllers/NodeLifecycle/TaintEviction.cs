using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>When a pod has to leave a node with NoExecute taints.</summary>
internal static class TaintEviction
{
    /// <summary>
    /// How long the pod may stay from the moment the taints were first seen: zero when one is not tolerated, null when all are tolerated without limit,
    /// otherwise the shortest limit among the tolerations that match.
    /// </summary>
    public static TimeSpan? StayOf(JsonObject pod, IReadOnlyList<Taint> noExecute)
    {
        if (noExecute.Count == 0) return null;
        var tolerations = Toleration.Of(pod);
        var used = new List<Toleration>();
        foreach (var taint in noExecute)
        {
            if (tolerations.FirstOrDefault(t => t.Tolerates(taint)) is not { } match) return TimeSpan.Zero;
            used.Add(match);
        }

        var limits = used.Where(t => t.Seconds is not null).Select(t => TimeSpan.FromSeconds(Math.Max(0, t.Seconds!.Value))).ToList();
        return limits.Count == 0 ? null : limits.Min();
    }

    public static IReadOnlyList<Taint> NoExecuteOf(JsonObject node) => [.. Taint.Of(node).Where(t => t.Effect == Taint.NoExecute)];

    public static IEnumerable<Act> Evict(JsonObject pod, DateTimeOffset now)
    {
        yield return DisruptionTarget.Mark(pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", now);
        yield return new Act.Delete(Kinds.Pods, pod, Announcement.Normal(pod, "TaintManagerEviction", $"Marking for deletion Pod {pod.Key}"));
    }
}
