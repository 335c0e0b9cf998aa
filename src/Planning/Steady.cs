using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>A plan without an incident: see that every agent has it, that live edits reach rank 0, and that nothing superfluous is kept.</summary>
internal static class Steady
{
    /// <summary>No sooner is a job looked at again: what a look waits for is the next answer of an agent, about a second away.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);

    public static Move Decide(Situation s)
    {
        var change = SpecChanges.Of(s);
        if (change.Kind is SpecChanges.Kind.Relaunch) return Relaunch(s, change);
        if ((Leaving.Decide(s) ?? Straggling.Decide(s) ?? Slowness.Decide(s) ?? Sizing.Grow(s) ?? Abandoned(s)) is { } decided) return decided;
        var move = Slowness.Watched(s, Straggling.Watched(s, Leaving.Watched(s, Sizing.Watched(s, s.HasStepped ? Running(s) : Launching(s)))));
        if (Provisioning.Resize(s) is { } resize) move = move.Then(resize);
        return InForce(s, change, move);
    }

    /// <summary>Workers that were drained for something that is wanted no longer train on.</summary>
    private static Move? Abandoned(Situation s)
    {
        if (s.Seen.Memory.Drain is not { } drain || drain.Epoch != s.Plan!.Epoch || !s.Members.All(m => m.Runs(s.Plan) && m.Status!.State is AgentState.Completed)) return null;
        return Recovery.Decide(s, new() { Epoch = s.Plan.Epoch, CauseId = $"drained-{s.Plan.Epoch}", Reason = Reasons.Resumed, Message = $"drained because {drain.Why}, which is over", Severity = Severity.Planned, DetectedAt = s.Now });
    }

    private static Move Launching(Situation s)
    {
        var id = s.Launched!.Id;
        var behind = s.Members.Where(m => m.Agent is { Answers: true } && !(m.Runs(s.Launched) && m.Status!.PlanDigest == id.Digest) && m.Agent?.Accepted != id).Select(m => m.Planned.Pod).ToArray();
        var restoring = s.Members.Any(m => m.Status?.Workers.Any(w => w.State is WorkerState.Restoring) == true);
        var stepping = s.Members.All(m => m.Runs(s.Launched) && m.Status!.Workers is { Count: > 0 } workers && workers.All(w => w.State is WorkerState.Training));
        var account = stepping ? Accounts.Productive : restoring ? Accounts.Restore : Accounts.Rendezvous;
        var move = new Move { Phase = s.Plan!.ParentEpoch == 0 ? JobPhase.Launching : JobPhase.Recovering, Account = account, Memory = Settled(s) }
            .With(Fact.False(ConditionTypes.Running, "Launching", $"epoch {s.Plan.Epoch}: {s.Plan.Cause.Message}"))
            .WakeIn(TimeSpan.FromSeconds(1));
        return behind.Length == 0 ? move : move.Then(new SendPlan(s.Launched, [.. behind]));
    }

    private static Move Running(Situation s)
    {
        var left = IncidentDetection.HangLimit(s) - s.Still;
        return new Move { Phase = JobPhase.Running, Account = Accounts.Productive, Memory = Settled(s) }
            .With(IncidentDetection.IsCutOff(s)
                ? new Fact(ConditionTypes.Running, "Unknown", "CutOff", "most agents do not answer although their nodes are ready: the operator itself may be cut off, so the training is left alone")
                : Fact.True(ConditionTypes.Running, "StepsAdvance", $"epoch {s.Plan!.Epoch}"), Fact.False(ConditionTypes.Suspended, "NotAsked"))
            .WakeIn(left < Soon ? Soon : left < TimeSpan.FromSeconds(2) ? left : left < TimeSpan.FromSeconds(10) ? TimeSpan.FromSeconds(2) : TimeSpan.FromSeconds(10));
    }

    /// <summary>The incident, fence and waiting that led to this plan are over.</summary>
    private static Memory Settled(Situation s) => s.Seen.Memory with { Incident = null, ShortSince = null, BehindAt = null, Fence = null, Stacks = null, Drain = s.Seen.Memory.Drain?.Epoch == s.Plan!.Epoch ? s.Seen.Memory.Drain : null };

    private static Move Relaunch(Situation s, SpecChanges.Change change)
    {
        var pending = Fact.False(ConditionTypes.SpecInForce, "Pending", $"waits for a relaunch: {change.What}");
        if (Provisioning.Resize(s) is ScaleStatefulSet { Replicas: var replicas } resize && replicas > s.Seen.StatefulSet!.Replicas) return (s.HasStepped ? Running(s) : Launching(s)).Then(resize).With(pending);
        // A larger job goes on as it is until the new machines are there.
        if (s.Candidates.Count < (Sizing.IsShort(s) ? s.Plan!.Members.Count : s.Nodes)) return (s.HasStepped ? Running(s) : Launching(s)).With(pending);
        if (Draining.Decide(s, $"the spec changed {change.What}") is { } drain) return drain.With(pending);
        var incident = new Incident { Epoch = s.Plan!.Epoch, CauseId = $"spec-{s.Job.Metadata.Generation}", Reason = Reasons.SpecChanged, Message = $"the spec changed {change.What}", Severity = Severity.Planned, DetectedAt = s.Now };
        return Recovery.Decide(s, incident).With(pending);
    }

    private static Move InForce(Situation s, SpecChanges.Change change, Move move)
    {
        switch (change.Kind)
        {
            case SpecChanges.Kind.Immutable:
                return move.With(Fact.False(ConditionTypes.SpecValid, "Immutable", string.Join("; ", change.Faults)), Fact.False(ConditionTypes.SpecInForce, "Refused", "the edit changes immutable fields; the job goes on with the old values"));
            case SpecChanges.Kind.Live or SpecChanges.Kind.Policies when s.HasStepped:
                return move.Then(new CreatePlan(SpecChanges.Revise(s, change))).With(Fact.False(ConditionTypes.SpecInForce, "Pending", $"to be adopted at a step boundary: {change.What}")).WakeIn(TimeSpan.FromSeconds(2));
            case SpecChanges.Kind.Live or SpecChanges.Kind.Policies:
                return move.With(Fact.False(ConditionTypes.SpecInForce, "Pending", $"waits for the first step: {change.What}"));
            default:
                return Proof(s, move);
        }
    }

    /// <summary>A trainer that says nothing of checkpoint settings took those of its launch; one that reports others did not adopt what it was sent.</summary>
    private static Fact Unproved(Situation s, StepRecord newest) => newest.Checkpointing is null && s.Launched!.Training.Checkpoint == s.Plan!.Training.Checkpoint
        ? Fact.True(ConditionTypes.SpecInForce, "Reported", $"reported by the trainer: epoch {s.Plan.Epoch}, revision {s.Plan.Revision}; checkpoint settings as launched")
        : Fact.False(ConditionTypes.SpecInForce, "NextLaunch", "this trainer takes checkpoint settings at its next launch only");

    /// <summary>Sends a revision until the step records carry it: only those prove that every rank adopted it.</summary>
    private static Move Proof(Situation s, Move move)
    {
        var plan = s.Plan!;
        if (!s.HasStepped) return move.With(new Fact(ConditionTypes.SpecInForce, "Unknown", "Launching", $"epoch {plan.Epoch} has not stepped yet"));
        var newest = s.Seen.Steps.Newest!;
        if (newest.Revision >= plan.Revision && newest.Checkpointing != CheckpointSettings.Of(plan.Training.Checkpoint)) return move.With(Unproved(s, newest));
        if (newest.Revision >= plan.Revision) return move.With(Fact.True(ConditionTypes.SpecInForce, "Reported", $"reported by the trainer: epoch {plan.Epoch}, revision {plan.Revision}"));
        var first = s.Members[0];
        var pending = move.With(Fact.False(ConditionTypes.SpecInForce, "Pending", $"revision {plan.Revision} is sent; attempt {newest.Attempt} still ran revision {newest.Revision}")).WakeIn(TimeSpan.FromSeconds(2));
        return first is { Agent.Answers: true } && first.Status!.Revision < plan.Revision
            ? pending.Then(new SendControl(first.Planned.Pod, first.Planned.PodUid, plan.Request(plan.Command)))
            : pending;
    }
}
