using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Diagnostics;

/// <summary>
/// Tests between the end of one epoch and the next, behind its fence: of nodes that were named before, of all when ranks disagree or nobody is named
/// again and again, and whatever a user asked for.
/// </summary>
internal static class Diagnosis
{
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(1);

    /// <summary>Own tests and every round of a bisection have the policy's deadline each; asking and answering takes a little more.</summary>
    private const int Stages = 5;

    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    /// <summary>Failures that any node may have caused.</summary>
    private static readonly EquatableList<string> s_nameless = [Reasons.PeerLost, Reasons.Hang, Reasons.LaunchDeadline, Reasons.Rendezvous];

    /// <summary>Moves towards answers; null when there is nothing (more) to find out.</summary>
    public static Move? Decide(Situation s, Memory memory, PlanCause cause, FenceAnswer fence)
    {
        if (Wanted(s, cause) is not { } wanted || s.Now - fence.At > Stages * s.Policy.Diagnostics.Deadline + Slack) return null;
        return OwnTests(s, memory, cause, fence, wanted) ?? (wanted.Pairs ? Pairs(s, memory, cause, fence) : null);
    }

    /// <summary>What was found, for the logbook; empty when nothing was tested for this cause.</summary>
    public static string Said(Situation s, PlanCause cause)
    {
        var reports = s.Seen.Pods.Select(p => NodeFindings.Reports(s, p).LastOrDefault(r => r.Id == Id(cause))).OfType<DiagnosticsReport>().ToArray();
        var (good, open) = (reports.Count(r => r.State is DiagnosticsState.Passed), reports.Count(r => r.State is not (DiagnosticsState.Passed or DiagnosticsState.Failed)));
        var bad = s.Fence is { } fence ? NodeFindings.PutAside(s, fence.At).Take(4).ToArray() : [];
        var pairs = Bisection.Tests(s, Short(cause));
        if (reports.Length == 0 && pairs == 0 && bad.Length == 0) return "";
        return $"diagnostics: {good} nodes passed{(open > 0 ? $", {open} did not come to an end" : "")}{(pairs > 0 ? $", {pairs} pair tests" : "")}{(bad.Length > 0 ? $"; faulty: {string.Join(", ", bad)}" : "; no fault found")}";
    }

    /// <summary>The answers to requests, with what came of the one that this launch carries out.</summary>
    public static EquatableList<HandledRequest> Answered(Situation s, PlanCause cause)
    {
        var handled = s.Plan?.Handled ?? [];
        if (s.Plan?.Rollback is not { Diagnose: not null } order || Said(s, cause) is not { Length: > 0 } said) return handled;
        return [.. handled.Select(h => h.Request == "diagnose" && order.CauseId == CauseOf(h.Id) ? h with { At = s.Now, Answer = said } : h)];
    }

    /// <summary>The cause of a launch that a request for diagnostics brought.</summary>
    public static string CauseOf(string requestId) => $"diagnose-{requestId}";

    private static Tests? Wanted(Situation s, PlanCause cause)
    {
        if (s.Plan?.Rollback?.Diagnose is { } asked) return new(Able(s, _ => true), asked is DiagnosticsSet.Network ? DiagnosticsSet.Quick : asked, asked is DiagnosticsSet.Network);
        if (!s.Policy.Diagnostics.Enabled || s.Plan is null || Reasons.Wanted.Contains(cause.Reason)) return null;
        if (cause.Reason is Reasons.ControlDiverged) return new(Able(s, _ => true), DiagnosticsSet.Quick, Pairs: false);
        if (cause.Node is { } node) return cause.Reason is Reasons.Hang || Suspicion.IsKnown(s, node, cause.Id) ? new(Able(s, p => p.Node == node), DiagnosticsSet.Quick, Pairs: false) : null;
        return s_nameless.Contains(cause.Reason) && IsRepeated(s, cause) ? new(Able(s, _ => true), DiagnosticsSet.Quick, Pairs: true) : null;
    }

    private static bool IsRepeated(Situation s, PlanCause cause) => s.Seen.Plans.Select(p => p.Plan)
        .Any(p => p.Revision == 0 && p.Cause.Node is null && s_nameless.Contains(p.Cause.Reason) && p.Cause.Id != cause.Id && s.Now - p.CreatedAt < Remembered);

    private static PodState[] Able(Situation s, Func<PodState, bool> which) => [.. s.Candidates.Where(p => which(p) && s.AgentOf(p)!.Status!.Diagnostics is not null)];

    private static Move? OwnTests(Situation s, Memory memory, PlanCause cause, FenceAnswer fence, Tests wanted)
    {
        var open = wanted.Pods.Where(p => NodeFindings.Reports(s, p).All(r => r.Id != Id(cause) || r.State is DiagnosticsState.Running)).ToArray();
        if (open.Length == 0) return null;
        var ask = open.Where(p => NodeFindings.Reports(s, p).All(r => r.Id != Id(cause)))
            .Select(p => new StartDiagnostics(p.Name, p.Uid, new() { Id = Id(cause), Set = wanted.Set, DeadlineSeconds = s.Policy.Diagnostics.Deadline.TotalSeconds, EndWorkersBelow = fence.Epoch }));
        return Waiting(s, memory, $"{wanted.Pods.Count - open.Length} of {wanted.Pods.Count} nodes tested").Then([.. ask]);
    }

    private static Move? Pairs(Situation s, Memory memory, PlanCause cause, FenceAnswer fence)
    {
        // The culprit is known already, by its own tests or by an earlier round.
        if (NodeFindings.PutAside(s, fence.At).Any()) return null;
        var round = Bisection.Next(Able(s, _ => true), p => NodeFindings.Reports(s, p), Short(cause));
        if (round.Pairs.Count == 0) return null;
        var ask = round.Pairs.SelectMany((pair, i) => new[] { (Pod: pair.First, Pair: i, First: true), (Pod: pair.Second, Pair: i, First: false) })
            .Where(t => NodeFindings.Reports(s, t.Pod).All(r => r.Id != round.Id))
            .Select(t => new StartDiagnostics(t.Pod.Name, t.Pod.Uid, Bisection.Request(round, t.Pair, t.First, s.Policy.Diagnostics.Deadline.TotalSeconds, fence.Epoch)));
        return Waiting(s, memory, $"{round.Pairs.Count} pairs test their network").Then([.. ask]);
    }

    private static Move Waiting(Situation s, Memory memory, string what) =>
        Recovery.Waiting(s, memory, Accounts.Diagnose).With(Fact.False(ConditionTypes.Running, "Diagnosing", what), Fact.True(ConditionTypes.StoreReady, "Fenced"));

    private static string Id(PlanCause cause) => $"node-{Short(cause)}";

    /// <summary>Ids of runs are bounded.</summary>
    private static string Short(PlanCause cause) => cause.Id.Length <= 200 ? cause.Id : cause.Id[..200];

    private sealed record Tests(IReadOnlyList<PodState> Pods, DiagnosticsSet Set, bool Pairs);
}
