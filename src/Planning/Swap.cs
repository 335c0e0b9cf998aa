using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>
/// A suspected node gives its place to a warm spare: that costs no more than a relaunch in place, and a fault that comes back finds the node idle.
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

    /// <summary>
    /// Whether a node named by its first hang is put aside: while a spare is free that costs the training nothing, and a suspect that stayed as a spare would take
    /// over when spares run short. Soft evidence never uses up what hard evidence needs: within budget and breaker only.
    /// </summary>
    public static bool PutsAside(Situation s, Incident incident)
    {
        if (incident is not { Reason: Reasons.Hang, Node: { } node }) return false;
        if (s.NodeNamed(node)?.Quarantine?.CauseId == incident.CauseId) return true;
        var uses = Budgets.Current(s);
        return s.Candidates.Count(p => p.Node != node) >= s.Nodes && s.Seen.QuarantineRoom > 0 && s.Seen.CanActOnNodes
            && (Budgets.Allows(s, uses, Budgets.ReplaceNode) || uses.Any(u => u.Budget == Budgets.ReplaceNode && u.CauseId == incident.CauseId));
    }

    /// <summary>A hang names the one member behind all others; broken devices and lost nodes are left in place only when the breaker is open.</summary>
    private static bool IsAgainstNode(PlanCause cause) => cause is { Node: not null, Reason: Reasons.Hang or Reasons.DeviceFailed or Reasons.NodeLost or Reasons.AgentSilent or Reasons.PodFailed };
}
