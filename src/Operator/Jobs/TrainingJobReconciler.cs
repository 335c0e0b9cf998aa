using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.Validation;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Checkpoints;
using Opt.Operator.Logbooks;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>
/// One job, one pass: observe, decide, execute, write status. Rounds follow each other within a pass while they change something, so that a
/// relaunch (fence, plan, send) does not wait for a timer between its steps.
/// </summary>
internal sealed partial class TrainingJobReconciler(
    Observer observer, PlanExecutor executor, StatusPublisher publisher, CheckpointSync checkpoints, LogbookKeeper logbooks, Func<ObjectKey, AgentPool> newPool, OperatorMetrics metrics, TimeProvider clock, ILogger<TrainingJobReconciler> logger)
    : IEntityController<JobObject>, IAsyncDisposable
{
    private const int MaxRounds = 8;
    private static readonly Func<ILogger, ObjectKey, IDisposable?> JobScope = LoggerMessage.DefineScope<ObjectKey>("{Job}");
    private readonly ConcurrentDictionary<ObjectKey, JobState> _states = new();

    public async Task<Requeue> ReconcileAsync(JobObject entity, CancellationToken ct)
    {
        var state = await StateOfAsync(entity);
        using var scope = JobScope(logger, entity.Key);
        if (entity.Metadata.DeletionTimestamp is not null) return Requeue.WhenChanged;   // owner references let the cluster collect the rest
        var faults = Read(entity, state);
        if (state.Valid is not { } valid) return await RefuseAsync(entity, state, faults, ct);
        return await ManageAsync(entity, new() { Metadata = entity.ToMetadata() with { Generation = valid.Generation }, Spec = valid.Spec, Status = state.Status }, state, faults, ct);
    }

    /// <summary>Takes a spec over if it is valid. The same generation is the same spec: most passes read nothing.</summary>
    private EquatableList<SpecFault> Read(JobObject entity, JobState state)
    {
        var generation = entity.Metadata.Generation ?? 0;
        if (state.Read is { } read && read.Generation == generation) return read.Faults;
        EquatableList<SpecFault> faults = [.. SpecValidation.ValidateName(entity.Metadata.Name!), .. SpecValidation.Validate(entity.Spec)];
        state.Valid = faults.Count > 0 ? ValidBefore(entity, state) : new(generation, entity.Spec!.Deserialize(SpecJson.Default.OptTrainingJobSpec)!);
        if (state.Valid is not null) state.Read = (generation, faults);
        return faults;
    }

    /// <summary>What was valid before an edit that is not: a run must not go without care because of a typing error. The newest plan remembers it over restarts.</summary>
    private ValidSpec? ValidBefore(JobObject entity, JobState state) => state.Valid ?? observer.LastValidSpec(entity.Key, entity.Metadata.Uid!);

    public async Task<Requeue> DeletedAsync(ObjectKey key, CancellationToken ct)
    {
        await ForgetAsync(key);
        return Requeue.WhenChanged;
    }

    /// <summary>Stops asking agents and forgets: for the end of a leader's term.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var key in _states.Keys) await ForgetAsync(key);
    }

    private async Task<Requeue> ManageAsync(JobObject entity, OptTrainingJob job, JobState state, EquatableList<SpecFault> faults, CancellationToken ct)
    {
        for (var round = 1; ; round++)
        {
            var seen = await observer.ObserveAsync(job, state, ct);
            var decision = JobPlanner.Decide(job, seen, clock.GetUtcNow());
            state.Memory = decision.Memory;
            var failure = await ExecuteAsync(job, state, decision, ct);
            var status = failure?.SourceException is ForeignObjectException foreign ? JobPlanner.Blocked(decision.Status, job.Metadata, "NameTaken", foreign.Message, clock.GetUtcNow()) : decision.Status;
            if (faults.Count > 0) status = JobPlanner.Refuse(entity.ToMetadata(), status, faults, clock.GetUtcNow(), "the job goes on with its last valid spec");
            metrics.Observed(entity.Key, status);
            metrics.Bounded(entity.Key, BudgetReport.Left(job, seen, clock.GetUtcNow()), seen.QuarantineRoom);
            state.Logbook.Add(decision.Entries);
            await logbooks.KeepAsync(job, state.Logbook, status.Logbook, ct);
            var due = await publisher.PublishAsync(entity, state, status, ct);
            await PaceAsync(state, seen, status);
            var isLast = failure is not null || round == MaxRounds || !decision.Actions.Any(IsProgress);
            if (isLast) due = Sooner(due, await KeepLogbookAsync(job, state, ct));   // no step of a relaunch waits for it
            failure?.Throw();
            job = job with { Status = status };
            if (isLast) return Next(Sooner(decision.Again, await checkpoints.SyncAsync(job, state, ct)), due);
        }
    }

    private Task<TimeSpan?> KeepLogbookAsync(OptTrainingJob job, JobState state, CancellationToken ct)
    {
        if (state.Agents.TakeLogbook() is { } store) state.Logbook.Add(store.Entries);
        return logbooks.KeepAsync(job, state.Logbook, [], ct);
    }

    /// <summary>Runs the actions; a failure is returned, since the status is worth writing all the same.</summary>
    private async Task<ExceptionDispatchInfo?> ExecuteAsync(OptTrainingJob job, JobState state, Decision decision, CancellationToken ct)
    {
        try
        {
            await executor.ExecuteAsync(job, state, decision.Actions, ct);
            return null;
        }
        catch (Exception e) when (e is KubernetesException or ForeignObjectException or OvertakenException or TimeoutException)
        {
            return ExceptionDispatchInfo.Capture(e);
        }
    }

    /// <summary>What is sent to agents is repeated until they report it, so it is no reason to look again at once.</summary>
    private static bool IsProgress(PlannedAction action) => action is not (SendPlan or SendControl or RecordLogbook or StartDiagnostics);

    private static Task PaceAsync(JobState state, Observation seen, OptTrainingJobStatus status)
    {
        var plan = seen.Plans.Count == 0 ? null : seen.Plans[^1].Plan;
        return state.Agents.PaceAsync(hurry: status.Phase is not JobPhase.Running, plan);
    }

    private async Task<Requeue> RefuseAsync(JobObject entity, JobState state, EquatableList<SpecFault> faults, CancellationToken ct)
    {
        var status = JobPlanner.Refuse(entity.ToMetadata(), state.Status, faults, clock.GetUtcNow());
        if (status.Conditions != state.Status?.Conditions) Log.Invalid(logger, string.Join("; ", faults));
        metrics.Observed(entity.Key, status);
        var due = await publisher.PublishAsync(entity, state, status, ct);
        return Next(null, due);
    }

    /// <summary>A job made again under the same name is another job: nothing is carried over.</summary>
    private async Task<JobState> StateOfAsync(JobObject entity)
    {
        if (_states.TryGetValue(entity.Key, out var known) && known.Uid == entity.Metadata.Uid) return known;
        await ForgetAsync(entity.Key);
        var state = new JobState(entity.Metadata.Uid!, newPool(entity.Key), entity.ReadStatus()) { WrittenAt = clock.GetTimestamp() };
        _states[entity.Key] = state;
        return state;
    }

    private async Task ForgetAsync(ObjectKey key)
    {
        metrics.Forget(key);
        if (_states.TryRemove(key, out var state)) await state.DisposeAsync();
    }

    private static Requeue Next(TimeSpan? again, TimeSpan? due) => Sooner(again, due) is { } time ? Requeue.In(time) : Requeue.WhenChanged;

    private static TimeSpan? Sooner(TimeSpan? one, TimeSpan? other) => one is null ? other : other is null || one < other ? one : other;

    private static partial class Log   // 20xx: reconciling
    {
        [LoggerMessage(2001, LogLevel.Warning, "The spec is not valid and is not acted on: {Faults}")]
        public static partial void Invalid(ILogger logger, string faults);
    }
}
