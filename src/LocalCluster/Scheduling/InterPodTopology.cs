namespace Opt.LocalCluster.Scheduling;

/// <summary>Pod affinity and anti-affinity for one incoming pod: its own terms, and those of pods already placed.</summary>
internal sealed class InterPodTopology(SchedulingPod pod, TopologyIndex index)
{
    private readonly TermDomains[] _affinity = [.. pod.Affinity.Select(index.Selected)];
    private readonly TermDomains[] _antiAffinity = [.. pod.AntiAffinity.Select(index.Selected)];
    private readonly IReadOnlyList<TermDomains> _forbidden = index.ForbiddenTo(pod);

    public FilterReason? Check(SchedulingNode node)
    {
        if (!SatisfiesAffinity(node)) return FilterReason.Affinity;
        foreach (var domains in _antiAffinity)
        {
            if (domains.Hold(node)) return FilterReason.AntiAffinity;
        }

        foreach (var domains in _forbidden)
        {
            if (domains.Hold(node)) return FilterReason.ExistingAntiAffinity;
        }

        return null;
    }

    private bool SatisfiesAffinity(SchedulingNode node)
    {
        if (_affinity.Length == 0) return true;

        // The first pod of a group that wants to be near itself may go anywhere that has the labels.
        var startsGroup = _affinity.All(domains => domains.IsEmpty && domains.Term.Matches(pod.Key.Namespace, pod.Labels));
        return _affinity.All(domains => startsGroup ? node.Labels.ContainsKey(domains.Term.TopologyKey) : domains.Hold(node));
    }
}
