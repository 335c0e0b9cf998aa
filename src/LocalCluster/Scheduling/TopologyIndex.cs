namespace Opt.LocalCluster.Scheduling;

/// <summary>
/// Where the pods are that affinity terms are about, counted by topology domain and kept up to date as pods come and go. The pods of a set share their terms, so
/// placing one costs a look-up a node, not a pass over all placed pods.
/// </summary>
internal sealed class TopologyIndex
{
    private readonly IReadOnlyCollection<SchedulingNode> _nodes;
    private readonly Dictionary<string, TermDomains> _selected = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TermDomains> _carried = new(StringComparer.Ordinal);

    public TopologyIndex(IReadOnlyCollection<SchedulingNode> nodes)
    {
        _nodes = nodes;
        foreach (var node in nodes)
        {
            foreach (var pod in node.Pods) CountCarried(node, pod, 1);
        }
    }

    public void Added(SchedulingNode node, SchedulingPod pod) => Count(node, pod, 1);

    public void Removed(SchedulingNode node, SchedulingPod pod) => Count(node, pod, -1);

    /// <summary>The domains with pods that the term selects.</summary>
    public TermDomains Selected(PodAffinityTerm term)
    {
        if (_selected.TryGetValue(term.Identity, out var known)) return known;
        var domains = _selected[term.Identity] = new TermDomains(term);
        foreach (var node in _nodes)
        {
            foreach (var pod in node.Pods) domains.CountIfSelected(node, pod, 1);
        }

        return domains;
    }

    /// <summary>The domains that placed pods keep this one away from by their own anti-affinity.</summary>
    public IReadOnlyList<TermDomains> ForbiddenTo(SchedulingPod pod) =>
        [.. _carried.Values.Where(domains => domains.Term.Matches(pod.Key.Namespace, pod.Labels))];

    private void Count(SchedulingNode node, SchedulingPod pod, int by)
    {
        foreach (var domains in _selected.Values) domains.CountIfSelected(node, pod, by);
        CountCarried(node, pod, by);
    }

    private void CountCarried(SchedulingNode node, SchedulingPod pod, int by)
    {
        foreach (var term in pod.AntiAffinity)
        {
            if (!_carried.TryGetValue(term.Identity, out var domains)) domains = _carried[term.Identity] = new TermDomains(term);
            domains.Count(node, by);
        }
    }
}
