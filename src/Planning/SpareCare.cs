using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// Machines that do not train are replaced as soon as they are known to be bad, though nothing has failed: a spare that is dead, or whose device broke, is none when it is needed.
/// </summary>
internal static class SpareCare
{
    /// <summary>A machine that reboots may come back; nothing waits for a spare.</summary>
    public static readonly TimeSpan Absence = TimeSpan.FromMinutes(3);

    /// <summary>One node a pass, within budget and breaker, and the pods on nodes that are put aside. Nothing while an incident is dealt with: that comes first.</summary>
    public static IEnumerable<PlannedAction> Actions(Situation s, Move move)
    {
        if (s.Plan is null || !s.HasStepped || move.Phase is not JobPhase.Running || move.Memory.Incident is not null || s.Job.Spec.ManagementState is not ManagementState.Managed) return [];
        var going = move.Actions.OfType<DeletePod>().Select(d => d.Uid).ToHashSet(StringComparer.Ordinal);
        var removals = s.Seen.Pods.Where(p => IsSpare(s, p) && !going.Contains(p.Uid) && (s.IsOnQuarantinedNode(p) || (p.Terminating && Overstay.IsSilent(s, p)))).Select(p => Exclusion.Deletion(s, p)).OfType<DeletePod>();
        return [.. removals, .. move.Actions.Any(a => a is QuarantineNode) ? [] : PutAside(s, IsSpare)];
    }

    /// <summary>The first node with evidence against it that holds such a pod.</summary>
    public static IEnumerable<PlannedAction> PutAside(Situation s, Func<Situation, PodState, bool> isMeant)
    {
        if (s.Seen.QuarantineRoom <= 0 || s.Policy.ReplaceNode.Mode is PolicyMode.Shadow || !Budgets.Allows(s, Budgets.Current(s), Budgets.ReplaceNode) || Outage.Found(s) is not null) return [];
        return s.Seen.Pods.Where(p => p.Node is not null && isMeant(s, p)).Select(p => (Pod: p, Node: s.NodeOf(p), Found: Against(s, p))).Where(p => p is { Node.Quarantine: null, Found: not null })
            .Select(p => (Node: p.Node!, Suspect: Exclusion.Suspect(s, p.Pod, p.Found!.Value.Reason, p.Found.Value.Message))).Where(p => !NodeMemory.WasGivenBack(s, p.Node, p.Suspect)).Take(1)
            .Select(p => NodeMemory.Quarantine(s, p.Node, p.Suspect));
    }

    /// <summary>A pod that trains no rank, or is on its way out whatever it was.</summary>
    private static bool IsSpare(Situation s, PodState pod) => pod.Node is not null && (pod.Terminating || s.MemberWith(pod.Uid) is null);

    private static (string Reason, string Message)? Against(Situation s, PodState pod)
    {
        var agent = s.AgentOf(pod);
        if (s.NodeOf(pod) is not { Ready: false } || pod.Terminating) return Exclusion.Evidence(s, pod) is { Reason: not Reasons.DiagnosticsFailed } found ? found : null;   // tests of joining nodes have a rule of their own
        return agent?.SilentSince is { } since && s.Now - since >= Absence ? (Reasons.NodeLost, $"node {pod.Node} is not ready and the agent of {pod.Name} does not answer") : null;
    }
}
