using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Diagnostics;

/// <summary>
/// A node is tested before it joins: spares while they wait, replacements and restarted agents before they train. Members that train are not disturbed.
/// A run that came to no end holds nobody up; a trainer that cannot test is taken as it is.
/// </summary>
internal static class Verification
{
    private const string Id = "join";

    /// <summary>Whether the pod may become a member, as far as tests go.</summary>
    public static bool IsCleared(Situation s, PodState pod) => !IsJoining(s, pod) || (Finished(s, pod) && NodeFindings.Against(s, pod) is null);

    /// <summary>What keeps a pod from joining, for people; null when tests do not.</summary>
    public static string? Trouble(Situation s, PodState pod)
    {
        if (IsCleared(s, pod)) return null;
        if (NodeFindings.Against(s, pod) is { } fault) return $"failed its tests on {pod.Node}: {fault}";
        var running = NodeFindings.Reports(s, pod).FirstOrDefault(r => r.State is DiagnosticsState.Running)?.Running;
        return $"is tested before it joins{(running is null ? "" : $" ({running})")}";
    }

    /// <summary>Asks joining nodes to test themselves, and puts aside those that failed: also while the others train.</summary>
    public static IEnumerable<PlannedAction> Actions(Situation s, Move move)
    {
        if (s.Job.Spec.ManagementState is not ManagementState.Managed || move.Phase is JobPhase.Succeeded or JobPhase.Failed or JobPhase.Suspended) return [];
        if (s.Seen.StatefulSet is not { Replicas: > 0 } || move.Actions.Any(a => a is ScaleStatefulSet { Replicas: 0 })) return [];
        var joining = s.Seen.Pods.Where(p => p is { Phase: "Running", Terminating: false, Node: not null } && IsJoining(s, p)).ToArray();
        return
        [
            .. joining.Where(p => !s.IsOnQuarantinedNode(p) && NodeFindings.Reports(s, p).All(r => r.State is not DiagnosticsState.Running && (r.Id != Id))).Select(p => Ask(s, p)),
            .. Quarantine(s, move, joining),
            .. Removals(s, move, joining),
        ];
    }

    private static bool IsJoining(Situation s, PodState pod)
    {
        if (!s.Policy.Diagnostics.Enabled || s.AgentOf(pod) is not { Answers: true, Status: { Diagnostics: not null } status }) return false;
        return s.Plan is null ? s.Policy.Diagnostics.FirstLaunch : s.MemberWith(pod.Uid)?.Planned.AgentInstance != status.Instance;
    }

    private static bool Finished(Situation s, PodState pod) => NodeFindings.Newest(NodeFindings.Reports(s, pod)) is not null;

    private static StartDiagnostics Ask(Situation s, PodState pod) =>
        new(pod.Name, pod.Uid, new() { Id = Id, Set = DiagnosticsSet.Quick, DeadlineSeconds = s.Policy.Diagnostics.Deadline.TotalSeconds, EndWorkersBelow = s.Plan?.Epoch ?? 0 });

    /// <summary>One node a pass, within budget and breaker; what an incident puts aside comes first.</summary>
    private static IEnumerable<PlannedAction> Quarantine(Situation s, Move move, PodState[] joining)
    {
        if (move.Actions.Any(a => a is QuarantineNode) || s.Seen.QuarantineRoom <= 0 || s.Policy.ReplaceNode.Mode is PolicyMode.Shadow || !Budgets.Allows(s, Budgets.Current(s), Budgets.ReplaceNode)) return [];
        return joining.Where(p => s.NodeOf(p) is { Quarantine: null }).Select(p => (Pod: p, Fault: NodeFindings.Against(s, p))).Where(p => p.Fault is not null).Take(1)
            .Select(p => NodeMemory.Quarantine(s, s.NodeOf(p.Pod)!, Suspect(s, p.Pod, p.Fault!)));
    }

    private static Incident Suspect(Situation s, PodState pod, string fault) => new()
    {
        Epoch = s.Plan?.Epoch ?? 0, CauseId = NodeFindings.CauseId(pod), Reason = Reasons.DiagnosticsFailed, Severity = Severity.Node, DetectedAt = s.Now,
        Message = $"{pod.Name} on {pod.Node} failed its tests: {fault}", Pod = pod.Name, PodUid = pod.Uid, Node = pod.Node,
    };

    /// <summary>A pod that never joined has nothing to lose: it makes room for one on another node at once.</summary>
    private static IEnumerable<PlannedAction> Removals(Situation s, Move move, PodState[] joining)
    {
        var already = move.Actions.OfType<DeletePod>().Select(d => d.Uid).ToHashSet(StringComparer.Ordinal);
        return joining.Where(p => s.NodeOf(p)?.Quarantine?.JobUid == s.Uid && NodeFindings.Against(s, p) is not null && !already.Contains(p.Uid) && s.MemberWith(p.Uid) is null)
            .Select(p => new DeletePod(p.Name, p.Uid, Now: false));
    }
}
