namespace Opt.Planning;

/// <summary>
/// Many machines silent at the same time are one failure with one cause (a switch, a power feed, the provider), or our own network: no node is
/// condemned for it. The job waits for machines as it waits for any other.
/// </summary>
internal static class Outage
{
    /// <summary>So many at once are still taken for single failures: OPT-175B lost five hosts at once.</summary>
    private const int Few = 5;

    /// <summary>A quarter of the job's machines and more than a few; null when it is not one.</summary>
    public static Fact? Found(Situation s)
    {
        var placed = s.Seen.Pods.Count(p => p.Node is not null);
        var dead = s.Seen.Pods.Count(p => s.NodeOf(p) is { Ready: false, Quarantine: null } && s.AgentOf(p) is null or { SilentSince: not null });
        return dead <= Few || 4 * dead < placed ? null : Fact.False(ConditionTypes.NodeActionsAllowed, "Outage", $"{dead} of {placed} machines went silent: that is no fault of each, so none is quarantined");
    }
}
