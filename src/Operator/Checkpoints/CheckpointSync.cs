using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Agents;
using Opt.Operator.Cluster;
using Opt.Operator.Jobs;
using Opt.Operator.Rendering;

namespace Opt.Operator.Checkpoints;

/// <summary>
/// Keeps the checkpoint objects of a job as <see cref="CheckpointMirror"/> says. Nothing of a job's training depends on them: what fails here is logged and
/// tried again later, and a cluster without their definition has none.
/// </summary>
internal sealed partial class CheckpointSync(KubernetesClient client, OperatorInformers informers, IAgentClient agents, TimeProvider clock, ILogger<CheckpointSync> logger)
{
    /// <summary>Writes of one pass: the job itself must not wait for hundreds of them.</summary>
    private const int MostWrites = 20;

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1), Later = TimeSpan.FromSeconds(15);
    private readonly ResourceClient<CheckpointObject> _objects = client.Resource(CheckpointObject.Definition);

    /// <returns>When to come back without a change; null for never.</returns>
    public async Task<TimeSpan?> SyncAsync(OptTrainingJob job, JobState state, CancellationToken ct)
    {
        if (!informers.Checkpoints.HasSynced) return null;
        try
        {
            var present = Present(job);
            var waiting = await AskAsync(job, state, present, ct);
            var steps = StepsOf(job, state, present, waiting).Where(s => state.Checkpoints.IsFree(s.Name, clock.GetUtcNow())).Take(MostWrites + 1).ToArray();
            foreach (var step in steps.Take(MostWrites)) await WriteAsync(job, state, step, ct);
            return steps.Length > MostWrites ? Soon : waiting.Count > 0 ? Later : null;
        }
        catch (Exception e) when (e is KubernetesException or TimeoutException)
        {
            Log.Failed(logger, job.Metadata.Name, e.Message);
            return Later;
        }
    }

    private static IEnumerable<MirrorStep> StepsOf(OptTrainingJob job, JobState state, MirroredCheckpoint[] present, Dictionary<string, string> waiting)
    {
        if (state.Agents.Catalogue is not { } catalogue) return CheckpointMirror.StepsWithoutCatalogue(present);
        return catalogue.JobUid == job.Metadata.Uid ? CheckpointMirror.Steps(job.Metadata.Name, catalogue, present, waiting) : [];
    }

    private MirroredCheckpoint[] Present(OptTrainingJob job) =>
    [
        .. from item in OperatorInformers.OfJob(informers.Checkpoints, job.Metadata.Namespace, job.Metadata.Name)
           where item.Metadata.ControllerOwner()?.Uid == job.Metadata.Uid
           select new MirroredCheckpoint(item.Metadata.Name!, item.Metadata.Uid!, item.Metadata.DeletionTimestamp is not null, item.ReadSpec(), item.ReadStatus()),
    ];

    /// <summary>Has the log say what people ask for.</summary>
    /// <returns>Why not yet, by object.</returns>
    private async Task<Dictionary<string, string>> AskAsync(OptTrainingJob job, JobState state, MirroredCheckpoint[] present, CancellationToken ct)
    {
        var waiting = new Dictionary<string, string>(StringComparer.Ordinal);
        if (state.Agents.Catalogue is not { } catalogue || catalogue.JobUid != job.Metadata.Uid) return waiting;
        foreach (var (name, mark) in CheckpointMirror.Asks(catalogue, present).ToArray())
        {
            if (state.Checkpoints.LastAnswer(name, mark, clock.GetUtcNow() - Later) is { } answer) waiting[name] = answer;
            else if (TargetOf(state) is not { } target) waiting[name] = CheckpointMirror.NoAgent;
            else if (await AskAsync(state, target, name, mark, ct) is { } refusal) waiting[name] = refusal;
        }

        return waiting;
    }

    private async Task<string?> AskAsync(JobState state, AgentTarget target, string name, CheckpointMark mark, CancellationToken ct)
    {
        try
        {
            state.Agents.Catalogued(await agents.PutCheckpointAsync(target, mark, ct));
            state.Checkpoints.Answered(name, mark, "", clock.GetUtcNow());
            Log.Marked(logger, name, mark.Pinned, mark.Condemn);
            return null;
        }
        catch (AgentException e)
        {
            state.Checkpoints.Answered(name, mark, e.Message, clock.GetUtcNow());
            return e.Message;
        }
    }

    private static AgentTarget? TargetOf(JobState state) =>
        state.Agents.Views.FirstOrDefault(v => v is { Answers: true, Status.Store.Reachable: true }) is { } view ? state.Agents.Target(view.PodUid) : null;

    private Task WriteAsync(OptTrainingJob job, JobState state, MirrorStep step, CancellationToken ct) => step switch
    {
        AddCheckpoint add => AddAsync(job, state, add, ct),
        WriteCheckpoint write => WriteStatusAsync(new(job.Metadata.Namespace, write.Name), write.Uid, write.Status, ct),
        RemoveCheckpoint remove => RemoveAsync(new(job.Metadata.Namespace, remove.Name), remove.Uid, ct),
        _ => throw new System.Diagnostics.UnreachableException($"No writer for {step.GetType().Name}"),
    };

    private async Task AddAsync(OptTrainingJob job, JobState state, AddCheckpoint add, CancellationToken ct)
    {
        try
        {
            var made = await _objects.CreateAsync(OwnedObjects.Checkpoint(job, add.Name).Deserialize(CheckpointObjectJson.Default.CheckpointObject)!, ct);
            await WriteStatusAsync(new(job.Metadata.Namespace, add.Name), made.Metadata.Uid!, add.Status, ct);
        }
        catch (KubernetesException e) when (e.IsAlreadyExists)
        {
            // Somebody else's object, or one whose label was taken off: it is left alone, and looked at again in a while.
            Log.Taken(logger, add.Name);
            state.Checkpoints.Block(add.Name, clock.GetUtcNow());
        }
    }

    private async Task WriteStatusAsync(ObjectKey key, string uid, OptCheckpointStatus status, CancellationToken ct)
    {
        var fields = new JsonObject
        {
            ["apiVersion"] = $"{OptTrainingJob.Group}/{OptTrainingJob.Version}",
            ["kind"] = OptCheckpoint.KindName,
            // The uid makes the write fail if the object was deleted and made again meanwhile.
            ["metadata"] = new JsonObject { ["name"] = key.Name, ["namespace"] = key.Namespace, ["uid"] = uid },
            ["status"] = JsonSerializer.SerializeToNode(status, SpecJson.Default.OptCheckpointStatus),
        };
        var written = await _objects.ApplyAsync(key, fields, force: true, ct, subresource: "status");
        await OwnWrites.SeenAsync(token => informers.Checkpoints.WaitUntilSeenAsync(written, token), clock, ct);
    }

    private async Task RemoveAsync(ObjectKey key, string uid, CancellationToken ct)
    {
        try
        {
            await _objects.DeleteAsync(key, new() { Preconditions = new() { Uid = uid } }, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound || e.IsConflict)
        {
            // gone, or another one by now
        }

        await OwnWrites.SeenAsync(token => informers.Checkpoints.WaitUntilAsync(s => s.Find(key) is not { } item || item.Metadata.Uid != uid || item.Metadata.DeletionTimestamp is not null, token), clock, ct);
    }

    private static partial class Log   // 24xx: checkpoint objects
    {
        [LoggerMessage(2401, LogLevel.Information, "{Checkpoint}: marked as its spec asks; pinned: {Pinned}; condemned: {Reason}")]
        public static partial void Marked(ILogger logger, string checkpoint, bool? pinned, string? reason);

        [LoggerMessage(2402, LogLevel.Warning, "{Job}: the checkpoint objects are not up to date: {Error}")]
        public static partial void Failed(ILogger logger, string job, string error);

        [LoggerMessage(2403, LogLevel.Warning, "OptCheckpoint {Checkpoint} exists and does not belong to the job; it is left alone")]
        public static partial void Taken(ILogger logger, string checkpoint);
    }
}
