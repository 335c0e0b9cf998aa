using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>Pods that no kubelet will ever finish: their node is gone, or declared out of service, or they never had one.</summary>
internal static class PodGarbage
{
    /// <param name="missing">Since when each node that pods name is missing; kept by the caller between calls.</param>
    public static IEnumerable<Act> Decide(
        IReadOnlyList<JsonObject> pods, IReadOnlyDictionary<string, JsonObject> nodes, IReadOnlyDictionary<string, DateTimeOffset> missing, TimeSpan quarantine, DateTimeOffset now)
    {
        foreach (var pod in pods)
        {
            if (pod.NodeName.Length == 0)
            {
                if (pod.IsTerminating) yield return Delete(pod);
            }
            else if (!nodes.TryGetValue(pod.NodeName, out var node))
            {
                if (!missing.TryGetValue(pod.NodeName, out var since) || now - since < quarantine) continue;
                yield return DisruptionTarget.Mark(pod, "DeletionByPodGC", "PodGC: node no longer exists", now, pod.IsFinished ? null : "Failed");
                yield return Delete(pod);
            }
            else if (pod.IsTerminating && IsOutOfService(node))
            {
                yield return Delete(pod);
            }
        }
    }

    private static bool IsOutOfService(JsonObject node) => !Condition.IsTrue(node, "Ready") && Taint.Of(node).Any(t => t.Key == Taint.OutOfService);

    private static Act.Delete Delete(JsonObject pod) => new(Kinds.Pods, pod, Force: true);
}
