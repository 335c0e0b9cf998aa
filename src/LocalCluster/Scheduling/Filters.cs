using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>The scheduler's filters, in the default profile's order; the first that refuses a node gives the reason.</summary>
internal static class Filters
{
    /// <summary>Empty when the pod fits the node. Only a lack of resources gives more than one reason.</summary>
    public static IReadOnlyList<FilterReason> Refusals(SchedulingPod pod, SchedulingNode node, InterPodTopology topology, TopologySpread spread)
    {
        if (node.IsUnschedulable && !pod.Tolerates(new Taint(Taint.Unschedulable, "", Taint.NoSchedule))) return [FilterReason.Unschedulable];
        if (node.Taints.Count > 0 && node.Taints.Any(taint => taint.Effect is Taint.NoSchedule or Taint.NoExecute && !pod.Tolerates(taint))) return [FilterReason.Taints];
        if (!MatchesNodeAffinity(pod, node)) return [FilterReason.NodeAffinity];
        if (pod.HostPorts.Count > 0 && node.Pods.Any(placed => placed.HostPorts.Intersect(pod.HostPorts).Any())) return [FilterReason.HostPorts];
        if (Resources(pod, node) is { Count: > 0 } lacking) return lacking;
        if (spread.Check(node) is { } skewed) return [skewed];
        return topology.Check(node) is { } conflict ? [conflict] : [];
    }

    public static bool MatchesNodeAffinity(SchedulingPod pod, SchedulingNode node) =>
        pod.NodeSelector?.Matches(node.Labels) != false && pod.NodeAffinity?.Matches(node.Name, node.Labels) != false;

    private static List<FilterReason>? Resources(SchedulingPod pod, SchedulingNode node)
    {
        List<FilterReason>? lacking = null;
        if (node.Pods.Count + 1 > node.Allocatable.GetValueOrDefault("pods")) (lacking ??= []).Add(FilterReason.TooManyPods);
        foreach (var (resource, amount) in pod.Requests)
        {
            // In Kubernetes an amount beyond the whole node is unresolvable: no eviction would make room.
            if (amount > 0 && amount > node.Free(resource)) (lacking ??= []).Add(FilterReason.Insufficient(resource, amount <= node.Allocatable.GetValueOrDefault(resource)));
        }

        return lacking;
    }
}
