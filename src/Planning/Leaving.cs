using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// Nodes that somebody takes out of service are left before they are drained: save, let a spare take over, delete the pod. The disruption
/// budget refuses evictions all along, so a drain waits until the operator has moved, and then finds the pod gone. No failure is charged.
/// </summary>
internal static class Leaving
{
    /// <summary>Candidates for membership: pods on nodes in service first, those that leave only where they are needed.</summary>
    public static IReadOnlyList<PodState> Prefer(Situation s, IReadOnlyList<PodState> candidates)
    {
        var staying = candidates.Where(p => !s.IsLeaving(p)).ToArray();
        if (staying.Length == candidates.Count) return candidates;
        // Once the decision to leave is made, pods that would only come back to the same node stay too.
        var decided = s.Seen.Memory.Incident is { Reason: Reasons.NodeLeft } incident && incident.Epoch == s.Plan?.Epoch;
        var needed = candidates.Except(staying).Where(p => !decided || !IsClosed(s, p)).OrderBy(p => s.MemberWith(p.Uid) is not null ? 0 : 1).Take(Math.Max(0, s.Nodes - staying.Length));
        return [.. staying.Concat(needed).OrderBy(p => p.Ordinal)];
    }

    /// <summary>Starts the move off such nodes; null while there is nothing to leave, or while a spare is waited for.</summary>
    public static Move? Decide(Situation s)
    {
        var leaving = Departing(s).Where(m => s.IsLeaving(m.Pod!)).ToArray();
        if (leaving.Length == 0 || !Budgets.Allows(s, Budgets.Current(s), Budgets.LeaveNode)) return null;
        var enough = Spares(s) >= leaving.Length;
        if (!enough && (!leaving.Any(m => m.Node!.Departure!.IsClosed) || WaitFor(s, leaving) > TimeSpan.Zero)) return null;
        var why = Why(leaving);
        if (Draining.Decide(s, why) is { } drain) return drain;
        return Recovery.Decide(s, new()
        {
            Epoch = s.Plan!.Epoch, CauseId = $"leave-{leaving[0].Planned.Node}-{s.Plan.Epoch}", Reason = Reasons.NodeLeft, Severity = Severity.Planned, DetectedAt = s.Now,
            Message = enough ? $"{why}; spares take over" : $"{why}; there is no spare, so the pods come back elsewhere",
        });
    }

    /// <summary>What steady running adds: spares that leave at once, the wait for a spare, and what Shadow mode would have done.</summary>
    public static Move Watched(Situation s, Move move)
    {
        var departing = Departing(s).ToArray();
        var spares = s.Seen.Pods.Where(p => !p.Terminating && s.MemberWith(p.Uid) is null && MayGo(s, p)).Select(p => new DeletePod(p.Name, p.Uid, Now: false)).ToArray();
        move = move.Then([.. spares]) with { Memory = move.Memory with { DepartingSince = departing.Length == 0 ? null : s.Seen.Memory.DepartingSince ?? s.Now } };
        if (departing.Length == 0) return move;
        if (s.Policy.LeaveNode.Mode is PolicyMode.Shadow) return move with { Shadows = [.. move.Shadows, .. departing.Select(m => new ShadowNote($"leave-{m.Planned.Node}-{s.Plan!.Epoch}", $"would have left node {m.Planned.Node}", $"{m.Node!.Departure!.Why}; failurePolicy.leaveNode.mode is Shadow"))] };
        return WaitFor(s, departing) is { } left && left > TimeSpan.Zero ? move.WakeIn(left) : move;
    }

    /// <summary>A pod that should leave and is not needed for membership; one on an open node might come right back, so it is left alone.</summary>
    public static bool MayGo(Situation s, PodState pod) => s.IsLeaving(pod) && IsClosed(s, pod) && s.Candidates.All(c => c.Uid != pod.Uid);

    /// <summary>Pods taken off nodes that are still out of service, this decision's included.</summary>
    public static EquatableList<LeftNode> Left(Situation s, Move move)
    {
        var deleted = move.Actions.OfType<DeletePod>().Select(d => s.PodNamed(d.Name)).OfType<PodState>().Where(p => s.IsLeaving(p)).Select(p => new LeftNode(p.Node!, p.Uid));
        var still = s.Seen.Nodes.Where(n => n.Departure is not null).Select(n => n.Name).ToHashSet(StringComparer.Ordinal);
        return [.. s.Seen.Memory.Left.Concat(deleted).Where(l => still.Contains(l.Node)).Distinct().TakeLast(64)];
    }

    public static Fact InService(Situation s)
    {
        var departing = Departing(s).ToArray();
        if (departing.Length == 0) return Fact.True(ConditionTypes.NodesInService, "InService");
        var why = Why(departing);
        if (s.Policy.LeaveNode.Mode is PolicyMode.Shadow) return Fact.False(ConditionTypes.NodesInService, "Shadow", $"{why}; failurePolicy.leaveNode.mode is Shadow, so it is not left");
        if (!Budgets.Allows(s, Budgets.Current(s), Budgets.LeaveNode)) return Fact.False(ConditionTypes.NodesInService, "BudgetExhausted", $"{why}; failurePolicy.leaveNode is used up, so a drain waits");
        return Spares(s) < departing.Length && WaitFor(s, departing) > TimeSpan.Zero
            ? Fact.False(ConditionTypes.NodesInService, "WaitingForSpare", $"{why}; left without a spare {DurationConverter.Format(s.Policy.LeaveNode.WaitForSpare)} after it was seen")
            : Fact.False(ConditionTypes.NodesInService, "Leaving", why);
    }

    /// <summary>Members on nodes that somebody takes out of service.</summary>
    private static IEnumerable<Member> Departing(Situation s) => s.Members.Where(m => m.Pod is { Terminating: false } pod && s.IsDeparting(pod));

    /// <summary>Pods that could take a member's place now.</summary>
    public static int Spares(Situation s) => s.Candidates.Count(p => !s.IsLeaving(p) && s.MemberWith(p.Uid) is null);

    private static bool IsClosed(Situation s, PodState pod) => s.NodeOf(pod) is { Departure.IsClosed: true };

    private static TimeSpan WaitFor(Situation s, Member[] leaving) =>
        leaving.Any(m => m.Node!.Departure!.IsUrgent) ? TimeSpan.Zero : (s.Seen.Memory.DepartingSince ?? s.Now) + s.Policy.LeaveNode.WaitForSpare - s.Now;

    private static string Why(Member[] leaving) => $"{leaving[0].Node!.Departure!.Why}{(leaving.Length > 1 ? $", and {leaving.Length - 1} more nodes are taken out of service" : "")}";
}
