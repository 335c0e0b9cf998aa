using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>Answer of <c>GET /v1/status</c>.</summary>
public sealed record AgentStatus
{
    public EquatableList<int> ProtocolVersions { get; set; } = [RunPlan.CurrentProtocol];

    /// <summary>Identity of this agent process.</summary>
    public required string Instance { get; init; }

    public required string JobUid { get; init; }
    public required string Pod { get; init; }
    public required string PodUid { get; init; }
    public required string Node { get; init; }
    public required AgentState State { get; init; }

    /// <summary>Highest epoch seen in a fence or plan; 0 for none. Lower ones are refused.</summary>
    public long Epoch { get; init; }

    /// <summary>Revision adopted by the workers (rank 0's agent) or received (others).</summary>
    public int Revision { get; init; }

    /// <summary>Epoch of the plan that workers, state and failure belong to: lower than <see cref="Epoch"/> behind a fence. Null when idle, and from older trainers.</summary>
    public long? PlanEpoch { get; init; }

    /// <summary>Digest of the plan being run; null when idle.</summary>
    public string? PlanDigest { get; init; }

    public EquatableList<WorkerStatus> Workers { get; set; } = [];

    /// <summary>Newest step record; rank 0's agent only.</summary>
    public StepRecord? LastStep { get; init; }

    /// <summary>Newest attempt any local worker finished; advances even where records are not kept.</summary>
    public long LastAttempt { get; init; }

    public StoreHealth Store { get; set; } = new() { Reachable = false };
    public EquatableList<DeviceHealth> Devices { get; set; } = [];

    /// <summary>What this node's copies of the plan's corpora hold; null when idle, when they cannot be read, and from older trainers.</summary>
    public EquatableList<CorpusDigest>? Corpora { get; init; }

    /// <summary>First failure that is not peer-lost, when the state is Failed.</summary>
    public WorkerFailure? Failure { get; init; }

    /// <summary>The newest runs of diagnostics, oldest first; null from a trainer that has none.</summary>
    public EquatableList<DiagnosticsReport>? Diagnostics { get; init; }
}

/// <summary>What an agent is doing.</summary>
public enum AgentState
{
    /// <summary>No plan; ready for one.</summary>
    Idle,

    /// <summary>A plan was accepted; workers of the previous epoch end, those of this one start, rendezvous or restore.</summary>
    Launching,

    /// <summary>Steps advance.</summary>
    Running,

    /// <summary>All local workers ended well: the run is complete, or was stopped or drained on request.</summary>
    Completed,

    /// <summary>A local worker failed.</summary>
    Failed,
}

/// <summary>One worker of this node.</summary>
public sealed record WorkerStatus
{
    public required int Rank { get; init; }
    public required WorkerState State { get; init; }
    public int? Pid { get; init; }
    public int? ExitCode { get; init; }
    public int? Signal { get; init; }

    /// <summary>Share of the restore that is done, 0 to 1, while restoring.</summary>
    public double? RestoreProgress { get; init; }

    /// <summary>Estimate of what is left of it, from its pace so far; null until there is one.</summary>
    public double? RestoreSecondsLeft { get; init; }
}

/// <summary>Life of a worker process.</summary>
public enum WorkerState { Starting, Rendezvous, Restoring, Training, Exited }

/// <summary>Why a worker ended.</summary>
public sealed record WorkerFailure
{
    public required int Rank { get; init; }
    public required WorkerExit Exit { get; init; }
    public int? ExitCode { get; init; }
    public int? Signal { get; init; }

    /// <summary>One line, as the worker said it or as classified from its last output.</summary>
    public required string Message { get; init; }

    public required DateTimeOffset At { get; init; }
}

/// <summary>Whether the checkpoint store answers.</summary>
public sealed record StoreHealth
{
    public required bool Reachable { get; init; }
    public string? Error { get; init; }

    /// <summary>Looks at the store that failed, since the agent began.</summary>
    public long Failures { get; init; }
}

/// <summary>One accelerator (or the CPU).</summary>
public sealed record DeviceHealth
{
    public required int Index { get; init; }
    public required string Kind { get; init; }
    public required bool Healthy { get; init; }
    public string? Detail { get; init; }
}

/// <summary>Body of <c>PUT /v1/fence</c>: append fence(epoch) to the commit log, then answer the catalogue as of that entry.</summary>
public sealed record FenceRequest
{
    public required long Epoch { get; init; }
    public required string JobUid { get; init; }

    /// <summary>Go on from a store another job wrote.</summary>
    public bool Adopt { get; init; }

    /// <summary>Condemn every checkpoint above this step: trouble began there. Null for none.</summary>
    public long? CondemnAfterStep { get; init; }

    /// <summary>Why they are condemned.</summary>
    public string? CondemnReason { get; init; }
}

/// <summary>Answer of <c>PUT /v1/fence</c> and of <c>GET /v1/catalogue</c>: the checkpoints that exist, as of one entry of the commit log.</summary>
public sealed record Catalogue
{
    /// <summary>Highest log entry read.</summary>
    public required long Entry { get; init; }

    /// <summary>Highest fenced epoch.</summary>
    public required long FencedEpoch { get; init; }

    /// <summary>UID of the job the store belongs to; null when the store is empty.</summary>
    public string? JobUid { get; init; }

    /// <summary>Committed and not retired, oldest first.</summary>
    public EquatableList<CheckpointSummary> Checkpoints { get; set; } = [];
}

/// <summary>One committed checkpoint.</summary>
public sealed record CheckpointSummary
{
    public required long Step { get; init; }
    public required long Attempt { get; init; }
    public required long Samples { get; init; }
    public required long Tokens { get; init; }
    public required long Epoch { get; init; }

    /// <summary>Number of the commit entry in the log.</summary>
    public required long Entry { get; init; }

    /// <summary>Folder of its objects, relative to the store.</summary>
    public required string Path { get; init; }

    /// <summary>SHA-256 of the manifest.</summary>
    public required string ManifestDigest { get; init; }

    public required long Bytes { get; init; }
    public required DateTimeOffset CommittedAt { get; init; }
    public HealthVerdict Verdict { get; init; }

    /// <summary>Why the verdict is what it is; null while it is pending and nothing is wrong.</summary>
    public string? Reason { get; init; }

    public bool Pinned { get; init; }

    /// <summary>Where every rank's object lay at the commit; null where only the store is known of.</summary>
    public EquatableList<CheckpointTier>? Tiers { get; init; }

    /// <summary>Whether it outlives the nodes.</summary>
    public bool IsDurable => Tiers is null || Tiers.Contains(CheckpointTier.Store);
}

/// <summary>
/// Step records of one epoch as the store keeps them (<c>GET /v1/archive?epoch=E&amp;after=PART</c>): the past that no agent remembers. Any agent
/// of the job may be asked.
/// </summary>
public sealed record ArchivePage
{
    /// <summary>Pass as <c>after</c> next time.</summary>
    public required int Next { get; init; }

    /// <summary>The store holds no more of this epoch now; one that still runs will add some.</summary>
    public required bool Ended { get; init; }

    public EquatableList<StepRecord> Records { get; set; } = [];
}

/// <summary>The logbook as the store keeps it (<c>GET /v1/logbook</c>), oldest first.</summary>
public sealed record LogbookPage
{
    /// <summary>How many the store holds; older ones than the newest ten thousand are left out here.</summary>
    public required int Total { get; init; }

    public EquatableList<LogbookEntry> Entries { get; set; } = [];
}

/// <summary>Body of <c>PUT /v1/logbook</c>: append the entries to the commit log, unless they are there already.</summary>
public sealed record LogbookRequest
{
    public required EquatableList<LogbookEntry> Entries { get; init; }
}

/// <summary>Body of <c>PUT /v1/control</c>, to rank 0's agent only; a lower epoch or revision is refused with 409.</summary>
public sealed record ControlRequest
{
    public required long Epoch { get; init; }
    public required int Revision { get; init; }
    public HyperParameters? HyperParameters { get; init; }

    /// <summary>How checkpoints are saved, kept and judged from now on; the store in it is ignored, since a worker cannot change stores.</summary>
    public CheckpointSpec? Checkpoint { get; init; }

    public ControlCommand Command { get; init; }
}

/// <summary>What to do at the next step boundary.</summary>
public enum ControlCommand
{
    None,

    /// <summary>Save a checkpoint and go on.</summary>
    Checkpoint,

    /// <summary>Save a checkpoint, then end with exit code Drained.</summary>
    Drain,

    /// <summary>End without saving.</summary>
    Stop,
}

/// <summary>Answer of <c>GET /v1/steps?epoch=E&amp;after=N&amp;waitSeconds=S</c>: records of the running epoch with index above N.</summary>
public sealed record StepsPage
{
    public required string Instance { get; init; }

    /// <summary>Epoch the records belong to; when it differs from the one asked for, indexes start anew.</summary>
    public required long Epoch { get; init; }

    /// <summary>Pass as <c>after</c> next time.</summary>
    public required long Next { get; init; }

    public EquatableList<StepRecord> Records { get; set; } = [];
}

/// <summary>
/// Body of <c>PUT /v1/checkpoints</c>: what people or policies say of one checkpoint; the agent appends it to the commit log and answers the catalogue.
/// 404 when there is no such checkpoint.
/// </summary>
public sealed record CheckpointMark
{
    /// <summary>Number of its commit entry.</summary>
    public required long Entry { get; init; }

    /// <summary>Digest of its manifest, so that nothing is said of another store's entry of the same number.</summary>
    public required string ManifestDigest { get; init; }

    /// <summary>Whether retention must keep it; null leaves it as it is.</summary>
    public bool? Pinned { get; init; }

    /// <summary>Why nothing may be rolled back to it any more; null leaves its verdict as it is.</summary>
    public string? Condemn { get; init; }
}

/// <summary>Answer of <c>GET /v1/copies</c>: copies of checkpoint objects that the node holds.</summary>
public sealed record CopyList
{
    public EquatableList<HeldCopy> Copies { get; set; } = [];
}

/// <summary>A copy by the name its object has in the store.</summary>
public readonly record struct HeldCopy(string Name, long Bytes);

/// <summary>A refusal by the agent: <c>{"error": "..."}</c> with status 400, 401, 409 or 503.</summary>
public sealed record AgentError
{
    public required string Error { get; init; }
}
