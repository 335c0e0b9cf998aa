using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>Holding a job for a human: pods and machines kept, workers stopped, without saving where what they hold is in doubt.</summary>
internal static class Pausing
{
    public static Move? Decide(Situation s)
    {
        if (s.Plan?.Pause is not { } pause) return null;
        if (s.Job.Metadata.Generation > pause.SpecGeneration) return Revisions.Write(s, Resumed(s, pause.Rollback, $"resume-spec-{s.Job.Metadata.Generation}", "the spec was edited"));
        if (pause.Until is { } end && end <= s.Now) return Revisions.Write(s, Resumed(s, pause.Rollback, $"resume-{s.Plan.Epoch}-{s.Plan.Revision}", "the time that was asked for is over"));
        if (pause.Saves && Draining.Decide(s, pause.Reason) is { } drain) return drain;
        var move = new Move { Phase = JobPhase.Paused, Account = Accounts.Pause, Memory = s.Seen.Memory with { Incident = null, Drain = null } }
            .With(Fact.True(ConditionTypes.Paused, "Asked", $"{pause.By}: {pause.Reason}. Edit the spec, or annotate {JobRequest.Prefix}resume with an id, to go on."), Fact.False(ConditionTypes.Running, "Paused", pause.Reason))
            .WakeIn(pause.Until is { } over && over - s.Now < TimeSpan.FromSeconds(5) ? over - s.Now : TimeSpan.FromSeconds(5));
        var first = s.Members[0];
        var works = first is { Agent.Answers: true, Status.State: AgentState.Running or AgentState.Launching } && first.Runs(s.Plan);
        return works ? move.Then(new SendControl(first.Planned.Pod, first.Planned.PodUid, s.Plan.Request(ControlCommand.Stop))) : move;
    }

    /// <summary>The revision that ends the pause and orders the relaunch.</summary>
    /// <param name="rollback">Null: from the newest checkpoint.</param>
    public static RunPlan Resumed(Situation s, RollbackOrder? rollback, string causeId, string why)
    {
        var order = (rollback ?? Newest(why)) with { CauseId = $"rollback-{causeId}" };
        var record = new InterventionRecord { Actor = Overrides.User, What = "ended the pause", Why = why, Step = s.Seen.Steps.Newest?.Step ?? 0 };
        return Revisions.Next(s, new() { Id = causeId, Reason = Reasons.Resumed, Message = why }, record) with { Pause = null, Rollback = order };
    }

    /// <summary>The revision that begins one.</summary>
    public static RunPlan Paused(Situation s, string causeId, string reason, RollbackOrder? rollback)
    {
        var record = new InterventionRecord { Actor = "operator", What = "paused for a human", Why = reason, Step = s.Seen.Steps.Newest?.Step ?? 0 };
        return Revisions.Next(s, new() { Id = causeId, Reason = Reasons.Divergence, Message = reason }, record) with
        {
            Rollback = null, Pause = new() { By = "operator", Reason = reason, Since = s.Now, SpecGeneration = s.Job.Metadata.Generation, Rollback = rollback },
        };
    }

    public static RollbackOrder Newest(string why) => new() { CauseId = "", Reason = Reasons.Resumed, Message = why, OnsetStep = long.MaxValue };
}
