using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// One rank's side of saving and restoring, for the life of a worker. A checkpoint exists only once rank 0 has committed it, after every
/// rank's object is durable; until then nobody sees it.
/// </summary>
public interface ICheckpointSession : IAsyncDisposable
{
    /// <summary>
    /// Rank 0: no save of this kind is under way on any rank, so a new one may begin. Rank 0 decides to save and tells the others by the
    /// control word; the others never ask. Never for memory where no agent keeps copies.
    /// </summary>
    bool IsReady(SaveKind kind);

    /// <summary>
    /// Begins to copy all buffers to host memory and returns; copy and save go on in the background. Every rank calls it after the same attempt, and with
    /// one kind only. Nothing may change the buffers before <see cref="WaitUntilCopied"/> has returned: forward and backward of the next attempt do not,
    /// its update does (the copy behind them is that of CheckFreq, FAST 2021, and DataStates-LLM, arXiv:2406.10707).
    /// </summary>
    /// <exception cref="StoreFencedException">A newer epoch owns the store: end with <see cref="WorkerExit.Fenced"/>.</exception>
    void BeginSave(TrainingState state, SaveKind kind = SaveKind.Store);

    /// <summary>Waits until the state of the save that was begun last is copied; at once when it is.</summary>
    SnapshotTime WaitUntilCopied();

    /// <summary>Both: returns when the state is copied.</summary>
    /// <returns>Time the caller stood still.</returns>
    TimeSpan Save(TrainingState state, SaveKind kind = SaveKind.Store);

    /// <summary>Takes over how checkpoints are kept and judged; a save under way ends as it began. The store stays what it was.</summary>
    void Adopt(CheckpointSpec spec);

    /// <summary>Rank 0: counts good steps towards health verdicts. Call it with every record.</summary>
    void Observe(StepRecord record);

    /// <summary>The outcome of a save that ended since the last call. On ranks other than 0 only failures of their own object.</summary>
    bool TryTakeOutcome(out SaveOutcome outcome);

    /// <summary>Waits until no save is under way on this rank (rank 0: on any rank). For drain and completion.</summary>
    Task WaitUntilSavedAsync(CancellationToken ct);

    /// <summary>
    /// Fills every buffer from <paramref name="resume"/>, or, where that one cannot be read, from the newest older checkpoint that
    /// can: all ranks agree on one. Works for any world size and tensor-parallel size the checkpoint was written with.
    /// </summary>
    /// <param name="progress">Share of this rank's bytes, 0 to 1.</param>
    /// <exception cref="CheckpointException">No checkpoint can be restored; the message says why for each.</exception>
    Task<RestoredCheckpoint> RestoreAsync(CheckpointSummary resume, IProgress<double>? progress, CancellationToken ct);
}

/// <summary>How a save ended.</summary>
public sealed record SaveOutcome
{
    public required long Step { get; init; }
    public SaveKind Kind { get; init; }
    public required bool Committed { get; init; }

    /// <summary>Folder in the store; null when not committed.</summary>
    public string? Path { get; init; }

    /// <summary>Why it was not committed; training goes on.</summary>
    public string? Error { get; init; }

    /// <summary>Bytes of all ranks' objects.</summary>
    public long Bytes { get; init; }

    /// <summary>From the call of Save to the commit.</summary>
    public required TimeSpan Duration { get; init; }
}

/// <summary>What was restored.</summary>
public sealed record RestoredCheckpoint
{
    public required CheckpointSummary Checkpoint { get; init; }
    public required TrainingState State { get; init; }

    /// <summary>Slots that were asked for but not in the checkpoint (optimizer states after a change of optimizer); left untouched.</summary>
    public EquatableList<string> MissingSlots { get; set; } = [];

    /// <summary>What this rank read from where.</summary>
    public EquatableList<TierBytes> Sources { get; set; } = [];

    /// <summary>Checkpoints that were skipped, newest first, and why.</summary>
    public EquatableList<SkippedCheckpoint> Skipped { get; set; } = [];
}

/// <summary>Bytes read from one tier.</summary>
public readonly record struct TierBytes(CheckpointTier Tier, long Bytes);

/// <summary>A checkpoint that could not be restored.</summary>
public sealed record SkippedCheckpoint(long Step, string Path, string Reason);
