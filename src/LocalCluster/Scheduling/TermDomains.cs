namespace Opt.LocalCluster.Scheduling;

/// <summary>How many pods each topology domain of a term holds.</summary>
internal sealed class TermDomains(PodAffinityTerm term)
{
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);

    public PodAffinityTerm Term { get; } = term;

    public bool IsEmpty => _counts.Count == 0;

    public bool Hold(SchedulingNode node) => node.Labels.TryGetValue(Term.TopologyKey, out var domain) && _counts.ContainsKey(domain);

    public void CountIfSelected(SchedulingNode node, SchedulingPod pod, int by)
    {
        if (Term.Matches(pod.Key.Namespace, pod.Labels)) Count(node, by);
    }

    public void Count(SchedulingNode node, int by)
    {
        if (!node.Labels.TryGetValue(Term.TopologyKey, out var domain)) return;
        var count = _counts.GetValueOrDefault(domain) + by;
        if (count > 0) _counts[domain] = count;
        else _counts.Remove(domain);
    }
}
