using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// From an incident to the next epoch, cheapest rung first: relaunch in place within its budget, else replace the node within its own,
/// else stop. The order is fixed (evidence, quarantine, fence, delete, plan) and each step is safe to repeat, so a pass never needs to
/// know how far the one before came.
/// </summary>
internal static class Recovery
{
    public static Move Decide(Situation s, Incident incident) =>
        HangStacks.Collect(s, incident) ?? HangStacks.Tell(s, incident, EndEpoch(s, HangStacks.Judge(s, incident)));

    private static Move EndEpoch(Situation s, Incident incident)
    {
        var memory = s.Seen.Memory with { Incident = incident };
        if (incident.Severity is Severity.User) return Stopping.Fail(s, incident.Reason, $"Restarting cannot help: {incident.Message}.");
        if (Replace(s, incident) is not { } replace) return Stopping.Fail(s, "BudgetExhausted", Diagnosis(s, incident, Budgets.RelaunchInPlace));
        var exclusion = Exclusion.Decide(s, incident, replace);
        if (exclusion.Refused is { } refused) return Stopping.Fail(s, "BudgetExhausted", Diagnosis(s, refused, Budgets.OfReplacement(refused.CauseId)));
        var uses = incident.Severity is Severity.Process or Severity.Shared && !replace ? Budgets.Add(exclusion.Uses, Budgets.RelaunchInPlace, incident.CauseId, s.Now) : exclusion.Uses;
        if (incident.Reason is Reasons.NodeLeft) uses = Budgets.Add(uses, Budgets.LeaveNode, incident.CauseId, s.Now);
        if (incident.Reason is Reasons.Slow) uses = Budgets.Add(uses, Budgets.Slowdown, incident.CauseId, s.Now);
        if (exclusion.Quarantines.Count > 0)
        {
            // The label and the cordon must stand before the pod can be recreated: nothing else in this pass.
            return Told(exclusion, Waiting(s, memory, Accounts.Diagnose) with { Actions = exclusion.Quarantines });
        }

        var cause = new Opt.Api.Protocol.PlanCause { Id = incident.CauseId, Reason = incident.Reason, Message = exclusion.Held is { } held ? $"{incident.Message} ({held.Message})" : incident.Message, Node = replace || incident.Severity is Severity.Process ? incident.Node : null };
        if (Shadow.HoldsRelaunch(s, incident, replace)) return Shadow.Hold(s, incident);
        var culprit = replace && Budgets.Spec(s.Policy, Budgets.OfReplacement(incident.CauseId)).Mode is PolicyMode.Enforce ? incident : null;
        return Told(exclusion, Launch.Decide(s, memory, cause, uses, incident.BadCheckpoint, culprit).With(Fact.False(ConditionTypes.Running, incident.Reason, incident.Message)));
    }

    private static Move Told(Exclusion.Result exclusion, Move move) => (exclusion.Held is { } why ? move.With(why) : move) with { Shadows = [.. exclusion.Shadows, .. move.Shadows] };

    /// <summary>Whether to replace the node; null when neither rung is left.</summary>
    private static bool? Replace(Situation s, Incident incident) => incident.Severity switch
    {
        Severity.Planned => false,
        Severity.Node => true,
        Severity.Process when Suspicion.Falls(s, incident) || Swap.PutsAside(s, incident) => true,
        _ when Budgets.Allows(s, Without(s, incident), Budgets.RelaunchInPlace) => false,
        Severity.Process when incident.Node is not null => true,
        _ => null,
    };

    /// <summary>Uses before this incident: its own use must not count against it when the pass is repeated.</summary>
    private static Opt.Api.EquatableList<Opt.Api.Protocol.BudgetUse> Without(Situation s, Incident incident) => [.. Budgets.Current(s).Where(u => u.CauseId != incident.CauseId)];

    public static Move Waiting(Situation s, Memory memory, string account) => new Move { Phase = s.Plan is null ? JobPhase.Provisioning : JobPhase.Recovering, Account = account, Memory = memory }.WakeIn(TimeSpan.FromSeconds(2));

    private static string Diagnosis(Situation s, Incident incident, string budget)
    {
        var spec = Budgets.Spec(s.Policy, budget);
        var causes = s.Seen.Plans.Select(p => p.Plan.Cause.Reason).Where(r => !Reasons.Wanted.Contains(r)).GroupBy(r => r).OrderByDescending(g => g.Count()).Select(g => $"{g.Count()} x {g.Key}");
        return $"The budget failurePolicy.{budget} ({spec.Limit} within {Opt.Api.DurationConverter.Format(spec.Window)}) is used up. Last: {incident.Message}. Relaunches on record: {string.Join(", ", causes)}. "
            + "Look at the logbook in status and at the logs of the pod named there; edit the spec (any field) to start the job again.";
    }
}
