using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.Validation;
using Opt.Api.V1Alpha1;
using Opt.Planning.Diagnostics;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>
/// Decides about one job: a pure function of the job, what was seen, and the time. The list of policies below is the whole order of
/// precedence; the first that has something to say decides the pass.
/// </summary>
public static class JobPlanner
{
    private static readonly TimeSpan Resync = TimeSpan.FromSeconds(30);

    private static readonly Func<Situation, Move?>[] Policies =
    [
        Unmanaged,
        Ended,
        Suspension.Decide,
        Provisioning.Create,
        Placement.Released,
        Provisioning.Recreate,
        Provisioning.ScaleUp,
        Requests.Decide,
        Pausing.Decide,
        Completion.Decide,
        DivergenceWatch.Decide,
        Overrides.Release,
        Incidents,
        FirstLaunch,
        Steady.Decide,
    ];

    public static Decision Decide(OptTrainingJob job, Observation seen, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(seen);
        // Owner references let the cluster collect everything; nothing of ours must be undone first.
        if (job.Metadata.DeletionTimestamp is not null) return new() { Status = job.Status ?? new(), Memory = seen.Memory };
        seen = seen with { Memory = seen.Memory.AsOf(now) };
        var situation = new Situation(job, seen, now);
        var move = Policies.Select(policy => policy(situation)).First(m => m is not null)!;
        move = Shadow.Tell(situation, move);
        move = move with { Actions = [.. move.Actions.Select(a => Guarded(situation, a)), .. Provisioning.MissingSecret(situation), .. Verification.Actions(situation, move), .. SpareCare.Actions(situation, move), .. NodeMemory.Unnoted(situation), .. OldPlans(situation)], Memory = move.Memory with { Judged = situation.Judgement.To, Recorded = seen.Memory.Recorded, Left = Leaving.Left(situation, move) } };
        var (status, entries) = StatusWriter.Write(situation, move);
        return new()
        {
            Actions = [.. Unrecorded(situation, move, status, entries), .. move.Actions],
            Status = status,
            Entries = entries,
            Memory = move.Memory,
            Again = move.Wake is { } wake && wake < Resync ? wake : Resync,
        };
    }

    private static PlannedAction Guarded(Situation s, PlannedAction action) => action is ScaleStatefulSet scale ? scale with { Version = s.Seen.StatefulSet?.ResourceVersion } : action;

    /// <summary>A spec with faults is never acted on: whatever runs goes on, and the condition lists every fault.</summary>
    /// <param name="meanwhile">What is done instead; empty when nothing is.</param>
    public static OptTrainingJobStatus Refuse(JobMetadata job, OptTrainingJobStatus? old, EquatableList<SpecFault> faults, DateTimeOffset now, string meanwhile = "")
    {
        ArgumentNullException.ThrowIfNull(job);
        var fact = Fact.False(ConditionTypes.SpecValid, "Invalid", string.Join("; ", faults) + (meanwhile.Length == 0 ? "" : $" ({meanwhile})"));
        return (old ?? new()) with { ObservedGeneration = job.Generation, Conditions = Conditions.Merge(old?.Conditions ?? [], [fact], job.Generation, now) };
    }

    /// <summary>The decision could not be carried out for a reason the user must see.</summary>
    public static OptTrainingJobStatus Blocked(OptTrainingJobStatus status, JobMetadata job, string reason, string message, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(status);
        ArgumentNullException.ThrowIfNull(job);
        return status with { Conditions = Conditions.Merge(status.Conditions, [Fact.False(ConditionTypes.MembersPlaced, reason, message)], job.Generation, now) };
    }

    private static Move? Unmanaged(Situation s) => s.Job.Spec.ManagementState is ManagementState.Managed ? null : new Move
    {
        Phase = s.Job.Status?.Phase ?? JobPhase.Pending,
        Account = s.HasStepped ? Accounts.Productive : Accounts.Pause,
        Memory = s.Seen.Memory,
    };

    /// <summary>A finished job stays finished, whatever happens to its objects; a failed one starts again when its spec is edited.</summary>
    private static Move? Ended(Situation s)
    {
        if (s.Seen.StatefulSet is not { Outcome: { } outcome } set) return null;
        if (!outcome.Succeeded && s.Job.Metadata.Generation > outcome.Generation)
        {
            return new Move { Phase = JobPhase.Pending, Account = Accounts.Pause, Memory = new(), Notes = [new("started again", $"the spec was edited after: {outcome.Message}")] }
                .Then(new ScaleStatefulSet(set.Uid, 0, CountersSince: s.Now)).WakeIn(TimeSpan.FromSeconds(2));
        }

        var ended = Stopping.Ended(s, outcome);
        return set.Replicas == 0 ? Expiring(s, ended, outcome) : ended.Then(new ScaleStatefulSet(set.Uid, 0, outcome, CountersSince: set.CountersSince));
    }

    private static Move Expiring(Situation s, Move ended, JobOutcome outcome)
    {
        if (s.Job.Spec.TtlSecondsAfterFinished is not { } seconds) return ended;
        var left = outcome.At + TimeSpan.FromSeconds(seconds) - s.Now;
        return left > TimeSpan.Zero ? ended.WakeIn(left) : ended.Then(new DeleteJob(s.Job.Metadata.Uid));
    }

    private static Move? Incidents(Situation s)
    {
        if (s.Plan is null) return null;
        var known = s.Seen.Memory.Incident is { } remembered && remembered.Epoch == s.Plan.Epoch ? remembered : null;
        var found = IncidentDetection.Find(s);
        // Harder evidence replaces softer; what merely follows from handling the incident (deleted pods, no steps) does not.
        var incident = known is null || found?.Severity > known.Severity && found.Severity >= Severity.Node ? found : known;
        // A rollback that was decided is carried out by whatever launch comes next; a bad machine is dealt with on the way.
        if (s.Plan.Rollback is { } order && incident is not { Severity: Severity.Node or Severity.User })
        {
            if (order.To is null && Draining.Decide(s, order.Message) is { } drain) return drain;
            incident = Rollbacks.Incident(s, order);
        }

        return incident is null ? null : Recovery.Decide(s, incident);
    }

    private static Move? FirstLaunch(Situation s)
    {
        if (s.Plan is not null) return null;
        var cause = new PlanCause { Id = $"start-{s.Uid}", Reason = Reasons.Start, Message = "first launch" };
        var exclusion = Exclusion.Decide(s, null, replaceCulprit: false);
        if (exclusion.Refused is { } refused) return Stopping.Fail(s, "BudgetExhausted", $"No machine is left to try: {refused.Message}.");
        var move = exclusion.Quarantines.Count > 0
            ? Recovery.Waiting(s, s.Seen.Memory, Accounts.Diagnose) with { Actions = exclusion.Quarantines }
            : Launch.Decide(s, s.Seen.Memory, cause, exclusion.Uses, null, null);
        return move with { Shadows = [.. exclusion.Shadows, .. move.Shadows] };
    }

    /// <summary>
    /// What the store's log lacks. An entry goes there once the status holds it, or an operator that died in between would have the next one tell it again at another
    /// time. What the status has no room for does not wait, nor does anything where this pass takes the last pod that can write to the store: so it is the first of all actions.
    /// </summary>
    private static IEnumerable<PlannedAction> Unrecorded(Situation s, Move move, OptTrainingJobStatus status, EquatableList<LogbookEntry> entries)
    {
        var able = s.Seen.Agents.Where(a => a is { Answers: true, Status.Store.Reachable: true } && a.Status.JobUid == s.Uid).ToArray();
        if (able.Length == 0 || s.Plan is null || s.Job.Spec.ManagementState is not ManagementState.Managed) return [];
        var leaving = move.Actions.OfType<DeletePod>().Select(d => d.Uid).ToHashSet(StringComparer.Ordinal);
        var staying = move.Actions.Any(a => a is ScaleStatefulSet or DeleteJob) ? null : able.FirstOrDefault(a => !leaving.Contains(a.PodUid));
        EquatableList<LogbookEntry> due = [.. (staying is null ? status.Logbook.Union(entries) : (s.Job.Status?.Logbook ?? []).Union(entries.Except(status.Logbook))).Except(s.Seen.Memory.Recorded).OrderBy(e => e.Time)];
        return due.Count == 0 ? [] : [new RecordLogbook((staying ?? able[0]).Pod, (staying ?? able[0]).PodUid, due)];
    }

    private static IEnumerable<PlannedAction> OldPlans(Situation s)
    {
        const int kept = 20;
        return s.Seen.Plans.OrderByDescending(p => (p.Plan.Epoch, p.Plan.Revision)).Skip(kept).Where(p => p.Plan.Epoch < s.Plan!.Epoch).Select(p => new DeletePlan(p.ConfigMap, p.Uid));
    }
}
