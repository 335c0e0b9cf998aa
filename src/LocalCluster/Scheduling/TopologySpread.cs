namespace Opt.LocalCluster.Scheduling;

/// <summary>How many matching pods each topology domain holds, for the spread constraints of one incoming pod.</summary>
internal sealed class TopologySpread
{
    private readonly SchedulingPod _pod;
    private readonly Dictionary<string, int>[] _counts;

    public TopologySpread(SchedulingPod pod, IEnumerable<SchedulingNode> nodes)
    {
        _pod = pod;
        _counts = [.. pod.Spread.Select(_ => new Dictionary<string, int>(StringComparer.Ordinal))];
        if (_counts.Length == 0) return;
        foreach (var node in nodes.Where(node => Filters.MatchesNodeAffinity(pod, node))) Count(node);
    }

    public FilterReason? Check(SchedulingNode node)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            var constraint = _pod.Spread[i];
            if (!constraint.IsHard) continue;
            if (!node.Labels.TryGetValue(constraint.TopologyKey, out var domain)) return FilterReason.SpreadLabel;
            var self = constraint.Selector?.Matches(_pod.Labels) == true ? 1 : 0;
            var fewest = _counts[i].Count == 0 ? 0 : _counts[i].Values.Min();
            if (_counts[i].GetValueOrDefault(domain) + self - fewest > constraint.MaxSkew) return FilterReason.Spread;
        }

        return null;
    }

    /// <summary>Pods already in the node's domains: less is better.</summary>
    public int Crowding(SchedulingNode node)
    {
        var sum = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            if (node.Labels.TryGetValue(_pod.Spread[i].TopologyKey, out var domain)) sum += _counts[i].GetValueOrDefault(domain);
        }

        return sum;
    }

    private void Count(SchedulingNode node)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            var constraint = _pod.Spread[i];
            if (!node.Labels.TryGetValue(constraint.TopologyKey, out var domain)) continue;
            var matching = node.Pods.Count(placed => placed.Key.Namespace == _pod.Key.Namespace && constraint.Selector?.Matches(placed.Labels) == true);
            _counts[i][domain] = _counts[i].GetValueOrDefault(domain) + matching;
        }
    }
}
