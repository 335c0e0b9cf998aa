using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>
/// Numbers or hardware, second test (the first compares ranks): the run goes back to before the onset and repeats the same data with the same
/// values. What was the numbers' doing comes back, since a run is a function of both; what does not was a machine's.
/// </summary>
internal static class Replays
{
    /// <summary>Whether this decision is put to the test first: once for each firing, within the policy's own budget.</summary>
    public static bool IsWanted(Situation s, DivergenceDecision decision) => decision is { Exhausted: false, Policy.Replay: { } replay } && s.Plan!.Replay is null
        && s.Plan.Firings.Count(f => f.Replay && f.Policy == decision.Policy.Name) < replay.Limit;

    public static ReplayOrder Order(DivergenceDecision decision, StepRecord evidence, string causeId) => new()
    {
        Policy = decision.Policy.Name, CauseId = causeId, Step = evidence.Step, Attempt = evidence.Attempt, Until = evidence.Attempt + decision.Policy.Replay!.Slack,
    };

    /// <summary>The order for the next epoch: a repair in between goes on with it; another rollback, or other values, leave nothing to compare.</summary>
    public static ReplayOrder? Continued(RunPlan? plan, HyperParameters values) => plan?.Replay is { } replay && values == plan.Training.HyperParameters
        && (plan.Rollback?.To is null || plan.Rollback.CauseId == replay.CauseId) ? replay : null;

    /// <summary>
    /// The trouble did not come back: a machine computed wrongly. That is the failure ladder's business; its first rung, a relaunch in place, is
    /// what the replay was, and is charged. Which machine it was only tests can say; when that budget is used up people are asked.
    /// </summary>
    public static Move? Verdict(Situation s)
    {
        if (s.Plan is not { Replay: { } replay, Pause: null, Rollback: null } plan || s.Judgement.To is not { } to || to.Epoch != plan.Epoch || to.Attempt <= replay.Until) return null;
        var id = $"replayed-{plan.Epoch}-{replay.Attempt}";
        if (plan.Training.HyperParameters != s.Launched!.Training.HyperParameters) return Revisions.Write(s, Concluded(s, id, "the replay says nothing: values were changed meanwhile", replay, null));
        var what = $"hardware: what fired at step {replay.Step} did not come back on the same data; no hyper-parameter moves";
        var uses = Budgets.Current(s);
        if (Budgets.Allows(s, uses, Budgets.RelaunchInPlace)) return Revisions.Write(s, Tested(s, Concluded(s, id, what, replay, Budgets.Add(uses, Budgets.RelaunchInPlace, id, s.Now)), id, what));
        return Revisions.Write(s, Pausing.Paused(s, id, $"{what}, and failurePolicy.{Budgets.RelaunchInPlace} is used up: test the machines ({string.Join(", ", plan.Members.Take(8).Select(m => m.Node))})", null) with { Replay = null });
    }

    /// <summary>A relaunch from a fresh checkpoint with tests of every machine and pair before it, where there is an agent that can make them.</summary>
    private static RunPlan Tested(Situation s, RunPlan concluded, string id, string what) =>
        s.Policy.Diagnostics.Enabled && s.Candidates.Any(p => s.AgentOf(p)!.Status!.Diagnostics is not null)
            ? concluded with { Rollback = Pausing.Newest(what) with { CauseId = $"rollback-{id}", Reason = Reasons.DivergenceHardware, Diagnose = DiagnosticsSet.Network } }
            : concluded;

    /// <param name="uses">Budgets after a verdict of hardware; null for no verdict.</param>
    private static RunPlan Concluded(Situation s, string id, string what, ReplayOrder replay, EquatableList<BudgetUse>? uses)
    {
        var why = $"replayed up to attempt {replay.Until} without a firing of policy {replay.Policy}";
        var record = new InterventionRecord { Actor = $"policy {replay.Policy}", What = what, Why = why, Step = s.Seen.Steps.Newest?.Step ?? replay.Step };
        var revision = Revisions.Next(s, new() { Id = id, Reason = uses is null ? Reasons.HyperParametersChanged : Reasons.DivergenceHardware, Message = what }, record) with { Replay = null };
        return uses is null ? revision : (revision with { Budgets = uses }).Remembering([new()
        {
            Policy = replay.Policy, Step = replay.Step, Epoch = s.Plan!.Epoch, Attempt = replay.Attempt, Rung = 0, At = s.Now, Hardware = true,
        }]);
    }
}
