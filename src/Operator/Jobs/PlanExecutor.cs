using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Cluster;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Jobs;

/// <summary>
/// Does what was decided: one handler an action, no choice of its own. Every write waits until the informer has seen it, so that the next
/// decision does not repeat it. Deletes carry the uid that was observed.
/// </summary>
internal sealed partial class PlanExecutor(KubernetesClient client, OperatorInformers informers, IAgentClient agents, QuarantineGate gate, TimeProvider clock, OperatorMetrics metrics, ILogger<PlanExecutor> logger)
{
    /// <summary>Agents that are asked at the same time.</summary>
    private const int AtOnce = 32, StacksAtOnce = 128;

    /// <summary>Stacks of all agents together; one of them has five seconds.</summary>
    private static readonly TimeSpan StacksDeadline = TimeSpan.FromSeconds(10);

    private readonly PlanLine _line = new(client);

    /// <summary>Executes in order; the first failure ends it.</summary>
    /// <exception cref="KubernetesException">The API server refused, or somebody else wrote first.</exception>
    public async Task ExecuteAsync(OptTrainingJob job, JobState state, IReadOnlyList<PlannedAction> actions, CancellationToken ct)
    {
        var unseen = new List<Func<CancellationToken, Task>>();
        foreach (var action in actions.Where(a => a is not StartDiagnostics))
        {
            await ExecuteAsync(job, state, action, unseen, ct);
            metrics.Acted(action.GetType().Name);
        }

        foreach (var seen in unseen) await OwnWrites.SeenAsync(seen, clock, ct);

        // Last, since nothing waits for them, and many at once: all nodes of a large job may be asked, dead ones among them.
        await Parallel.ForEachAsync(actions.OfType<StartDiagnostics>(), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = ct }, async (action, token) =>
        {
            await DiagnoseAsync(state, action, token);
            metrics.Acted(nameof(StartDiagnostics));
        });
    }

    /// <param name="unseen">What the informers must show before the next decision, of actions that come in dozens: they wait together.</param>
    private Task ExecuteAsync(OptTrainingJob job, JobState state, PlannedAction action, List<Func<CancellationToken, Task>> unseen, CancellationToken ct) => action switch
    {
        CreateSecret => CreateSecretAsync(job, state, ct),
        ApplyService => ApplyAsync(job, Resources.Services, OwnedObjects.Service(job), informers.Services, ct),
        ApplyDisruptionBudget => ApplyAsync(job, Resources.PodDisruptionBudgets, OwnedObjects.DisruptionBudget(job), informers.DisruptionBudgets, ct),
        ApplyStatefulSet a => ApplyAsync(job, Resources.StatefulSets, OwnedObjects.StatefulSet(job, a.Replicas, a.PodDigest), informers.StatefulSets, ct),
        ScaleStatefulSet a => ScaleAsync(job, a, ct),
        FenceStore a => FenceAsync(job, state, a, ct),
        CollectStacks a => CollectStacksAsync(job, state, a, ct),
        CreatePlan a => CreatePlanAsync(job, state, a, ct),
        SendPlan a => SendPlanAsync(state, a, ct),
        SendControl a => SendControlAsync(state, a, ct),
        RecordLogbook a => RecordAsync(state, a, ct),
        QuarantineNode a => QuarantineAsync(job, a, unseen, ct),
        NoteOffences a => NoteAsync(a, ct),
        DeletePod a => DeletePodAsync(job, a, unseen, ct),
        DeletePlan a => DeletePlanAsync(job, a, ct),
        DeleteJob a => DeleteJobAsync(job, a, ct),
        _ => throw new UnreachableException($"No executor for {action.GetType().Name}"),
    };

    private async Task CreateSecretAsync(OptTrainingJob job, JobState state, CancellationToken ct)
    {
        var content = AgentSecret.Create(job.Metadata.Name, clock.GetUtcNow());
        var secret = OwnedObjects.Secret(job, content).Deserialize(KubernetesJson.Default.V1Secret)!;
        try
        {
            await client.Resource(Resources.Secrets).CreateAsync(secret, ct);
            state.Credential = state.Credential?.Read(content, clock.GetTimestamp()) ?? new(content, null, clock.GetTimestamp());
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Another leader made it, or an attempt whose answer was lost: the next pass reads it. A stranger's Secret of that name never becomes ours.
            var found = await client.Resource(Resources.Secrets).GetAsync(new(job.Metadata.Namespace, Names.Secret(job.Metadata.Name)), ct);
            if (found.Metadata.ControllerOwner()?.Uid != job.Metadata.Uid) throw new ForeignObjectException("Secret", Names.Secret(job.Metadata.Name), found.Metadata);
        }
    }

    /// <summary>Server-side apply, but never over an object that is not this job's: force would take it over silently.</summary>
    private async Task ApplyAsync<T>(OptTrainingJob job, ResourceDefinition<T> definition, JsonObject fields, Informer<T> informer, CancellationToken ct) where T : class, IKubernetesObject
    {
        var resource = client.Resource(definition);
        var key = new ObjectKey(job.Metadata.Namespace, (string)fields["metadata"]!["name"]!);
        if (await resource.FindAsync(key, ct) is { } found && (found.Metadata.ControllerOwner()?.Uid != job.Metadata.Uid || found.Metadata.DeletionTimestamp is not null))
        {
            throw new ForeignObjectException(definition.Kind, key.Name, found.Metadata);
        }

        var written = await resource.ApplyAsync(key, fields, force: true, ct);
        await OwnWrites.SeenAsync(token => informer.WaitUntilSeenAsync(written, token), clock, ct);
    }

    private async Task ScaleAsync(OptTrainingJob job, ScaleStatefulSet action, CancellationToken ct)
    {
        var written = await client.Resource(Resources.StatefulSets).PatchAsync(new(job.Metadata.Namespace, job.Metadata.Name), Patch.Merge(StatefulSetMarks.Patch(action)), ct);
        Log.Scaled(logger, job.Metadata.Name, action.Replicas, action.Outcome?.Reason ?? "");
        await OwnWrites.SeenAsync(token => informers.StatefulSets.WaitUntilSeenAsync(written, token), clock, ct);
    }

    private async Task FenceAsync(OptTrainingJob job, JobState state, FenceStore action, CancellationToken ct)
    {
        var answer = new FenceAnswer { Epoch = action.Epoch, Pod = action.Pod, At = clock.GetUtcNow(), CondemnedFor = action.Condemn?.CauseId };
        try
        {
            var target = state.Agents.Target(action.PodUid) ?? throw new AgentException($"{action.Pod} is gone");
            var catalogue = await agents.PutFenceAsync(target, new()
            {
                Epoch = action.Epoch, JobUid = job.Metadata.Uid, Adopt = job.Spec.Checkpoint.Adopt, CondemnAfterStep = action.Condemn?.OnsetStep, CondemnReason = action.Condemn?.Message,
            }, ct);
            state.Agents.Catalogued(catalogue);
            Log.Fenced(logger, job.Metadata.Name, action.Epoch, action.Pod, catalogue.Checkpoints.Count);
            state.Memory = state.Memory with { Fence = answer with { Catalogue = catalogue } };
        }
        catch (AgentException e)
        {
            Log.NotFenced(logger, job.Metadata.Name, action.Epoch, e.Message);
            state.Memory = state.Memory with { Fence = e.IsConflict ? await RefusedAsync(job, state, action, answer, e, ct) : answer with { Error = e.Message } };
        }
    }

    /// <summary>Why the store refused: it is another job's, which is final, or it knows a higher epoch than the cluster does (a new cluster with the old store).</summary>
    private async Task<FenceAnswer> RefusedAsync(OptTrainingJob job, JobState state, FenceStore action, FenceAnswer answer, AgentException refusal, CancellationToken ct)
    {
        try
        {
            var target = state.Agents.Target(action.PodUid) ?? throw refusal;
            var catalogue = await agents.GetCatalogueAsync(target, ct);
            var foreign = catalogue.JobUid is { } owner && owner != job.Metadata.Uid && !job.Spec.Checkpoint.Adopt;
            return answer with
            {
                Error = foreign ? $"The checkpoint store belongs to the job with uid {catalogue.JobUid}. Use another store, or set checkpoint.adopt to go on from it." : refusal.Message,
                IsFinal = foreign,
                StoreEpoch = catalogue.FencedEpoch,
            };
        }
        catch (AgentException)
        {
            return answer with { Error = refusal.Message };
        }
    }

    /// <summary>All at the same time, since a run that stands still waits for the slowest: who has not answered by the deadline is left out.</summary>
    private async Task CollectStacksAsync(OptTrainingJob job, JobState state, CollectStacks action, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(StacksDeadline, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, ct);
        var answers = new StackAnswer[action.Pods.Count];
        await Parallel.ForEachAsync(action.Pods.Index(), new ParallelOptions { MaxDegreeOfParallelism = StacksAtOnce, CancellationToken = ct }, async (asked, _) =>
            answers[asked.Index] = await StackAsync(state, asked.Item, both.Token, ct));
        Log.Collected(logger, job.Metadata.Name, action.CauseId, answers.Count(a => a.Report is not null), answers.Length);
        state.Memory = state.Memory with { Stacks = new(action.CauseId, [.. answers]) };
    }

    private async Task<StackAnswer> StackAsync(JobState state, StackTarget asked, CancellationToken deadline, CancellationToken ct)
    {
        try
        {
            var target = state.Agents.Target(asked.PodUid) ?? throw new AgentException($"{asked.Pod} is gone");
            return new(asked.PodUid, await agents.GetStacksAsync(target, deadline));
        }
        catch (AgentException e)
        {
            Log.NotCollected(logger, asked.Pod, e.Message);
            return new(asked.PodUid, null, e.Message);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new(asked.PodUid, null, "not asked in time");
        }
    }

    private async Task CreatePlanAsync(OptTrainingJob job, JobState state, CreatePlan action, CancellationToken ct)
    {
        var written = await CreatePlanMapAsync(job, state, action, ct);
        var (id, cause) = (action.Plan.Id, action.Plan.Cause);
        Log.Planned(logger, job.Metadata.Name, id.Epoch, id.Revision, id.Digest[..12], action.Plan.Resume?.Step ?? 0, cause.Reason, cause.Message);
        metrics.Launched(cause.Reason);
        await OwnWrites.SeenAsync(token => informers.Plans.WaitUntilSeenAsync(written, token), clock, ct);
    }

    private async Task<V1ConfigMap> CreatePlanMapAsync(OptTrainingJob job, JobState state, CreatePlan action, CancellationToken ct)
    {
        var map = OwnedObjects.PlanConfigMap(job, action.Plan, action.ParentStep).Deserialize(KubernetesJson.Default.V1ConfigMap)!;
        await _line.ContinueAsync(job, action, state.Memory.Fence?.Catalogue?.Checkpoints.Select(c => c.Epoch).DefaultIfEmpty().Max() ?? 0, ct);
        try
        {
            return await client.Resource(Resources.ConfigMaps).CreateAsync(map, ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Another leader decided. Should it have taken the name only to pass it over, then the store is fenced at a later epoch: ask again.
            state.Memory = state.Memory with { Fence = null };
            throw;
        }
    }

    private async Task SendPlanAsync(JobState state, SendPlan action, CancellationToken ct)
    {
        var id = action.Plan.Id;
        var uids = action.Plan.Members.Where(m => action.Pods.Contains(m.Pod)).Select(m => m.PodUid).ToArray();
        await Parallel.ForEachAsync(uids, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = ct }, async (uid, token) =>
        {
            if (state.Agents.Target(uid) is not { } target) return;
            try
            {
                await agents.PutPlanAsync(target, action.Plan, token);
                state.Agents.PlanAnswered(uid, id, refusal: null);
            }
            catch (AgentException e)
            {
                Log.NotSent(logger, target.Pod, id.Epoch, e.Message);
                if (e.IsConflict) state.Agents.PlanAnswered(uid, id, e.Message);
            }
        });
        state.Agents.Poke();
    }

    private async Task SendControlAsync(JobState state, SendControl action, CancellationToken ct)
    {
        if (state.Agents.Target(action.PodUid) is not { } target) return;
        try
        {
            await agents.PutControlAsync(target, action.Request, ct);
            Log.Controlled(logger, action.Pod, action.Request.Epoch, action.Request.Revision, action.Request.Command);
        }
        catch (AgentException e)
        {
            Log.NotControlled(logger, action.Pod, action.Request.Epoch, e.Message);   // repeated by the next pass while it is still wanted
        }
    }

    private async Task DiagnoseAsync(JobState state, StartDiagnostics action, CancellationToken ct)
    {
        if (state.Agents.Target(action.PodUid) is not { } target) return;
        try
        {
            await agents.PostDiagnosticsAsync(target, action.Request, ct);
            Log.Diagnosing(logger, action.Pod, action.Request.Id, action.Request.Set);
            state.Agents.Poke();
        }
        catch (AgentException e)
        {
            Log.NotDiagnosing(logger, action.Pod, action.Request.Id, e.Message);   // asked again by the next pass
        }
    }

    private async Task RecordAsync(JobState state, RecordLogbook action, CancellationToken ct)
    {
        if (state.Agents.Target(action.PodUid) is not { } target) return;
        try
        {
            await agents.PutLogbookAsync(target, new() { Entries = action.Entries }, ct);
            state.Memory = state.Memory.Recording(action.Entries);
        }
        catch (AgentException e)
        {
            Log.NotRecorded(logger, action.Pod, e.Message);   // repeated by the next pass
        }
    }

    /// <exception cref="OvertakenException">Another job took the last place under the breaker since this was decided.</exception>
    private async Task QuarantineAsync(OptTrainingJob job, QuarantineNode action, List<Func<CancellationToken, Task>> unseen, CancellationToken ct)
    {
        if (!gate.TryEnter(action.Node)) throw new OvertakenException($"node {action.Node} stays: other jobs put so many aside meanwhile that the breaker is open");
        var details = new JsonObject
        {
            ["reason"] = action.Reason, ["message"] = action.Message, ["job"] = $"{job.Metadata.Namespace}/{job.Metadata.Name}", ["jobUid"] = job.Metadata.Uid, ["causeId"] = action.CauseId,
            ["at"] = clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture), ["until"] = action.Until.ToString("O", CultureInfo.InvariantCulture), ["keepsCordon"] = action.KeepsCordon,
        };
        var patch = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["uid"] = action.Uid,
                ["labels"] = new JsonObject { [Names.QuarantinedLabel] = action.Reason },
                ["annotations"] = new JsonObject { [Names.QuarantineAnnotation] = details.ToJsonString(), [Names.OffencesAnnotation] = NodeHistories.Format(action.History) },
            },
            ["spec"] = new JsonObject { ["unschedulable"] = true },
        };
        if (action.Evicts)
        {
            var now = await client.Resource(Resources.Nodes).GetAsync(ObjectKey.Cluster(action.Node), ct);
            (patch["spec"]!["taints"], patch["metadata"]!["resourceVersion"]) = (QuarantineTaint.With(now, action.Reason), now.Metadata.ResourceVersion);
        }

        var written = await PutAsideAsync(action, patch, ct);
        Log.Quarantined(logger, action.Node, job.Metadata.Name, action.Reason, action.Message);
        metrics.Quarantined(action.Reason);
        unseen.Add(token => informers.Nodes.WaitUntilSeenAsync(written, token));
    }

    private async Task<V1Node> PutAsideAsync(QuarantineNode action, JsonObject patch, CancellationToken ct)
    {
        try
        {
            return await client.Resource(Resources.Nodes).PatchAsync(ObjectKey.Cluster(action.Node), Patch.Merge(patch), ct);
        }
        catch (KubernetesException e) when (e.IsConflict || e.IsNotFound)
        {
            gate.Leave(action.Node);   // refused for certain; after any other failure it may stand all the same
            throw;
        }
    }

    private async Task NoteAsync(NoteOffences action, CancellationToken ct)
    {
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["uid"] = action.Uid, ["annotations"] = new JsonObject { [Names.OffencesAnnotation] = NodeHistories.Format(action.History) } } };
        var written = await client.Resource(Resources.Nodes).PatchAsync(ObjectKey.Cluster(action.Node), Patch.Merge(patch), ct);
        await OwnWrites.SeenAsync(token => informers.Nodes.WaitUntilSeenAsync(written, token), clock, ct);
    }

    private async Task DeletePodAsync(OptTrainingJob job, DeletePod action, List<Func<CancellationToken, Task>> unseen, CancellationToken ct)
    {
        var key = new ObjectKey(job.Metadata.Namespace, action.Name);
        var options = new V1DeleteOptions { Preconditions = new() { Uid = action.Uid }, GracePeriodSeconds = action.Now ? 0 : null };
        await DeleteAsync(client.Resource(Resources.Pods), key, options, ct);
        Log.PodDeleted(logger, key, action.Now);
        unseen.Add(token => informers.Pods.WaitUntilAsync(s => s.Find(key) is not { } pod || pod.Metadata.Uid != action.Uid || (!action.Now && pod.Metadata.DeletionTimestamp is not null), token));
    }

    private async Task DeleteJobAsync(OptTrainingJob job, DeleteJob action, CancellationToken ct)
    {
        var key = new ObjectKey(job.Metadata.Namespace, job.Metadata.Name);
        await DeleteAsync(client.Resource(JobObject.Definition), key, new() { Preconditions = new() { Uid = action.Uid }, PropagationPolicy = "Background" }, ct);
        Log.JobExpired(logger, key, job.Spec.TtlSecondsAfterFinished ?? 0);
    }

    private async Task DeletePlanAsync(OptTrainingJob job, DeletePlan action, CancellationToken ct)
    {
        var key = new ObjectKey(job.Metadata.Namespace, action.ConfigMap);
        await DeleteAsync(client.Resource(Resources.ConfigMaps), key, new() { Preconditions = new() { Uid = action.Uid } }, ct);
        await OwnWrites.SeenAsync(token => informers.Plans.WaitUntilGoneAsync(key, action.Uid, token), clock, ct);
    }

    /// <summary>Gone, or replaced by a successor: both are what was wanted.</summary>
    private static async Task DeleteAsync<T>(ResourceClient<T> resource, ObjectKey key, V1DeleteOptions options, CancellationToken ct) where T : class
    {
        try
        {
            await resource.DeleteAsync(key, options, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            // nothing left to delete
        }
    }
}

/// <summary>An object of the name the job needs exists and is not the job's.</summary>
internal sealed class ForeignObjectException(string kind, string name, V1ObjectMeta found)
    : Exception(found.DeletionTimestamp is not null || found.ControllerOwner()?.Kind == OptTrainingJob.KindName
        ? $"{kind} {name} is left from an earlier job and not removed yet"
        : $"{kind} {name} exists and does not belong to this job; rename the job or remove the {kind}");
