using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>Preference among the nodes that fit: least allocated, soft taints, preferred node and pod affinity, even spread. Each part is 0 to 100, weighted as in the default profile.</summary>
internal static class Scores
{
    public static double Of(SchedulingPod pod, SchedulingNode node, TopologySpread spread) =>
        LeastAllocated(pod, node)
        - (node.Taints.Count == 0 ? 0 : 3 * 10.0 * node.Taints.Count(taint => taint.Effect == Taint.PreferNoSchedule && !pod.Tolerates(taint)))
        + (2 * pod.PreferredNodes.Where(p => p.Term.Matches(node.Name, node.Labels)).Sum(p => p.Weight))
        + (2 * (Neighbours(pod, node, pod.PreferredAffinity) - Neighbours(pod, node, pod.PreferredAntiAffinity)))
        - (2 * 10.0 * spread.Crowding(node));

    private static double LeastAllocated(SchedulingPod pod, SchedulingNode node) =>
        (Free(pod, node, "cpu", bare: 0.1) + Free(pod, node, "memory", bare: 209715200)) / 2;

    // Pods that request nothing still count a little, as Kubernetes' 100m and 200Mi do, so that they spread.
    private static double Free(SchedulingPod pod, SchedulingNode node, string resource, double bare)
    {
        var capacity = (double)node.Allocatable.GetValueOrDefault(resource);
        if (capacity <= 0) return 0;
        var used = (double)(node.Requested(resource) + pod.Requests.GetValueOrDefault(resource)) + (bare * (node.Pods.Count + 1));
        return Math.Max(0, (capacity - used) * 100 / capacity);
    }

    // Same-node neighbours only; wider domains of soft terms are not worth a cluster-wide pass here.
    private static int Neighbours(SchedulingPod pod, SchedulingNode node, IReadOnlyList<PodAffinityTerm> terms) =>
        terms.Count == 0 ? 0 : terms.Sum(term => term.Weight * node.Pods.Count(placed => term.Matches(placed.Key.Namespace, placed.Labels)));
}
