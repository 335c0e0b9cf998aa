using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>The nodes and what is placed on them, including what has just been decided and is not yet seen in the cache.</summary>
internal sealed class SchedulingState
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SchedulingNode> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Node, SchedulingPod Pod)> _placed = new(StringComparer.Ordinal);
    private SchedulingNode[]? _ordered;
    private TopologyIndex? _topology;
    private int _start;

    /// <summary>Takes in a node change; true when it may make room for somebody.</summary>
    public bool Apply(ObjectChange change)
    {
        if (change is { Before: { } before, After: { } after } && SchedulesTheSame(before, after)) return false;
        lock (_gate)
        {
            (_ordered, _topology) = (null, null);
            _nodes.Remove(change.Key.Name);
            if (change.After is not { } node) return false;
            var fresh = _nodes[node.Name] = new SchedulingNode(node);
            foreach (var (on, pod) in _placed.Values.Where(p => p.Node == node.Name)) fresh.Add(pod);
            return true;
        }
    }

    /// <summary>Takes in a pod change; true when it freed something.</summary>
    public bool ApplyPod(ObjectChange change)
    {
        lock (_gate)
        {
            if (change.After is { NodeName.Length: > 0, IsFinished: false } pod)
            {
                // Nothing that placing depends on changes in a bound pod.
                if (!_placed.TryGetValue(pod.Uid, out var known) || known.Node != pod.NodeName) Put(pod.NodeName, new SchedulingPod(pod));
                return false;
            }

            return change.Before is { } before && (change.After is null || change.After.IsFinished) && Take(before.Uid);
        }
    }

    public Placement Place(SchedulingPod pod)
    {
        lock (_gate)
        {
            _ordered ??= [.. _nodes.Values.OrderBy(node => node.Name, StringComparer.Ordinal)];
            _topology ??= new TopologyIndex(_ordered);
            return Placement.Decide(pod, _ordered, _topology, _start, out _start);
        }
    }

    public void Assume(JsonObject pod, string node)
    {
        lock (_gate) Put(node, new SchedulingPod(pod));
    }

    public void Forget(string uid)
    {
        lock (_gate) Take(uid);
    }

    private void Put(string node, SchedulingPod pod)
    {
        Take(pod.Uid);
        _placed[pod.Uid] = (node, pod);
        if (!_nodes.TryGetValue(node, out var at)) return;
        at.Add(pod);
        _topology?.Added(at, pod);
    }

    private bool Take(string uid)
    {
        if (!_placed.Remove(uid, out var placed)) return false;
        if (!_nodes.TryGetValue(placed.Node, out var at)) return true;
        at.Remove(uid);
        _topology?.Removed(at, placed.Pod);
        return true;
    }

    // Heartbeats change a node every few seconds and matter to nobody here.
    private static bool SchedulesTheSame(JsonObject before, JsonObject after) =>
        JsonNode.DeepEquals(before["spec"], after["spec"])
        && JsonNode.DeepEquals(before.At("metadata", "labels"), after.At("metadata", "labels"))
        && JsonNode.DeepEquals(before.At("status", "allocatable"), after.At("status", "allocatable"));
}
