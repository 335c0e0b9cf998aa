using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>
/// For one incoming pod: in which topology domains its affinity and anti-affinity terms, and the anti-affinity of pods already placed,
/// have matches. Computed once per pod, so that each node is a dictionary look-up.
/// </summary>
internal sealed class InterPodTopology
{
    private readonly SchedulingPod _pod;
    private readonly Dictionary<(string Key, string Value), int>[] _affinity;
    private readonly HashSet<(string Key, string Value)> _antiAffinity = [];
    private readonly HashSet<(string Key, string Value)> _existing = [];
    private readonly bool _anyAffinityMatch;

    public InterPodTopology(SchedulingPod pod, IEnumerable<SchedulingNode> nodes, bool anyExistingAntiAffinity)
    {
        _pod = pod;
        _affinity = [.. pod.Affinity.Select(_ => new Dictionary<(string, string), int>())];
        if (pod.Affinity.Count == 0 && pod.AntiAffinity.Count == 0 && !anyExistingAntiAffinity) return;
        foreach (var node in nodes)
        {
            foreach (var placed in node.Pods) Note(node, placed);
        }

        _anyAffinityMatch = _affinity.Any(domains => domains.Count > 0);
    }

    public FilterReason? Check(SchedulingNode node)
    {
        if (!SatisfiesAffinity(node)) return FilterReason.Affinity;
        if (_pod.AntiAffinity.Any(term => Domain(node, term) is { } domain && _antiAffinity.Contains(domain))) return FilterReason.AntiAffinity;
        if (_existing.Count > 0 && node.Labels.Any(label => _existing.Contains((label.Key, label.Value)))) return FilterReason.ExistingAntiAffinity;
        return null;
    }

    private void Note(SchedulingNode node, SchedulingPod placed)
    {
        for (var i = 0; i < _affinity.Length; i++)
        {
            var term = _pod.Affinity[i];
            if (Domain(node, term) is { } domain && term.Matches(placed.Key.Namespace, placed.Labels)) _affinity[i][domain] = 1;
        }

        foreach (var term in _pod.AntiAffinity)
        {
            if (Domain(node, term) is { } domain && !_antiAffinity.Contains(domain) && term.Matches(placed.Key.Namespace, placed.Labels)) _antiAffinity.Add(domain);
        }

        foreach (var term in placed.AntiAffinity)
        {
            if (Domain(node, term) is { } domain && !_existing.Contains(domain) && term.Matches(_pod.Key.Namespace, _pod.Labels)) _existing.Add(domain);
        }
    }

    private bool SatisfiesAffinity(SchedulingNode node)
    {
        if (_pod.Affinity.Count == 0) return true;

        // The first pod of a group that wants to be near itself may go anywhere that has the labels.
        var startsGroup = !_anyAffinityMatch && _pod.Affinity.All(term => term.Matches(_pod.Key.Namespace, _pod.Labels));
        for (var i = 0; i < _affinity.Length; i++)
        {
            if (Domain(node, _pod.Affinity[i]) is not { } domain) return false;
            if (!startsGroup && !_affinity[i].ContainsKey(domain)) return false;
        }

        return true;
    }

    private static (string, string)? Domain(SchedulingNode node, PodAffinityTerm term) =>
        node.Labels.TryGetValue(term.TopologyKey, out var value) ? (term.TopologyKey, value) : null;
}
