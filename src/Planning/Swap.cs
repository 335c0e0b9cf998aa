using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>
/// A suspected node that stays in the cluster gives its place to a warm spare: that costs no more than a relaunch in place, and a fault that comes back
/// finds the node idle.
/// </summary>
internal static class Swap
{
    /// <summary>The pods to choose members from: all that could be, without the suspect's where there are enough others.</summary>
    public static IReadOnlyList<PodState> Eligible(Situation s, PlanCause cause)
    {
        if (!IsAgainstNode(cause)) return s.Candidates;
        var others = s.Candidates.Where(p => p.Node != cause.Node).ToArray();
        return others.Length >= s.Nodes ? others : s.Candidates;
    }

    /// <summary>A hang names the one member behind all others; broken devices and lost nodes are left in place only when the breaker is open.</summary>
    private static bool IsAgainstNode(PlanCause cause) => cause is { Node: not null, Reason: Reasons.Hang or Reasons.DeviceFailed or Reasons.NodeLost or Reasons.AgentSilent or Reasons.PodFailed };
}
