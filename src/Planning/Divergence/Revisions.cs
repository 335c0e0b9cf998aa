using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning.Divergence;

/// <summary>The next revision of the plan in force: what was decided and the memory of it, in one atomic write.</summary>
internal static class Revisions
{
    private const int RequestsKept = 20;

    /// <summary>One more than the highest limit of a policy; kept for each policy apart, or one that goes on firing would make another forget its own.</summary>
    private const int FiringsKept = 33;

    public static RunPlan Next(Situation s, PlanCause cause, InterventionRecord? record) => s.Plan! with
    {
        Revision = s.Plan.Revision + 1, CreatedAt = s.Now, Cause = cause, Intervention = record, Command = ControlCommand.None,
    };

    public static RunPlan Remembering(this RunPlan plan, IEnumerable<PolicyFiring> firings)
    {
        var all = plan.Firings.Concat(firings).ToArray();
        var kept = all.GroupBy(f => (f.Policy, f.Shadow, f.Hardware, f.Replay)).SelectMany(g => g.TakeLast(FiringsKept)).ToHashSet();
        return plan with { Firings = [.. all.Where(kept.Contains)] };
    }

    public static RunPlan Answering(this RunPlan plan, HandledRequest request) => plan with { Handled = [.. plan.Handled.Append(request).TakeLast(RequestsKept)] };

    public static RunPlan Valued(this RunPlan plan, HyperParameters values, EquatableList<HyperParameterOverride> overrides) =>
        plan with { Training = plan.Training with { HyperParameters = values }, Overrides = overrides };

    /// <summary>
    /// What rank 0's agent is told. The values always go along: a command that names a revision which the trainer does not have yet brings it, or the trainer
    /// would report the number with other values.
    /// </summary>
    public static ControlRequest Request(this RunPlan plan, ControlCommand command) => new()
    {
        Epoch = plan.Epoch, Revision = plan.Revision, HyperParameters = plan.Training.HyperParameters, Checkpoint = plan.Training.Checkpoint, Command = command,
    };

    /// <summary>A pass that writes the revision and nothing else: what follows from it is the next pass's business.</summary>
    public static Move Write(Situation s, RunPlan revision) => new Move { Phase = s.Job.Status?.Phase ?? Opt.Api.V1Alpha1.JobPhase.Running, Account = s.HasStepped ? Accounts.Productive : Accounts.Diagnose, Memory = s.Seen.Memory }
        .Then(new CreatePlan(revision)).WakeIn(TimeSpan.Zero);

    /// <summary>True once the trainer reports the newest revision, or nothing runs that could: the moment for another change.</summary>
    public static bool IsSettled(Situation s) => !s.HasStepped || s.Plan!.Pause is not null || s.Seen.Steps.Newest!.Revision >= s.Plan!.Revision;
}
