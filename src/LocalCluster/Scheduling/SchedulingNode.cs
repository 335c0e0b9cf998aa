using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>A node and the pods placed on it. Immutable but for its pods, which <see cref="SchedulingState"/> keeps up to date.</summary>
internal sealed class SchedulingNode(JsonObject node)
{
    private readonly Dictionary<string, SchedulingPod> _pods = new(StringComparer.Ordinal);
    private readonly Dictionary<string, decimal> _requested = new(StringComparer.Ordinal);

    public string Name { get; } = node.Name;
    public IReadOnlyDictionary<string, string> Labels { get; } = node.Labels;
    public IReadOnlyList<Taint> Taints { get; } = Taint.Of(node);
    public bool IsUnschedulable { get; } = node.Flag("spec", "unschedulable");
    public IReadOnlyDictionary<string, decimal> Allocatable { get; } = Amounts.List(node.At("status", "allocatable")).ToDictionary(StringComparer.Ordinal);
    public IReadOnlyCollection<SchedulingPod> Pods => _pods.Values;

    public decimal Free(string resource) => Allocatable.GetValueOrDefault(resource) - _requested.GetValueOrDefault(resource);

    public decimal Requested(string resource) => _requested.GetValueOrDefault(resource);

    public void Add(SchedulingPod pod)
    {
        Remove(pod.Uid);
        _pods[pod.Uid] = pod;
        foreach (var (resource, amount) in pod.Requests) _requested[resource] = _requested.GetValueOrDefault(resource) + amount;
    }

    public void Remove(string uid)
    {
        if (!_pods.Remove(uid, out var pod)) return;
        foreach (var (resource, amount) in pod.Requests) _requested[resource] -= amount;
    }
}
