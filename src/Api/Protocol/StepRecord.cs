using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>What the trainer reports for each attempt (one forward and backward of a whole batch).</summary>
public sealed record StepRecord
{
    public required long Epoch { get; init; }

    /// <summary>Revision of the live values in force during this attempt.</summary>
    public required int Revision { get; init; }

    /// <summary>Epochs this run descends from, oldest first, as "1.2.5".</summary>
    public string Lineage { get; set; } = "";

    /// <summary>Every attempt, skipped ones included; 1 for the first.</summary>
    public required long Attempt { get; init; }

    /// <summary>Successful updates after this attempt.</summary>
    public required long Step { get; init; }

    /// <summary>Samples consumed after this attempt, successful or not.</summary>
    public required long Samples { get; init; }

    /// <summary>Tokens consumed after this attempt.</summary>
    public required long Tokens { get; init; }

    /// <summary>Mean loss in nats per token over the global batch. Not finite values are written as null.</summary>
    public double? Loss { get; init; }

    /// <summary>Learning rate used by this attempt's update.</summary>
    public required double LearningRate { get; init; }

    /// <summary>1 unless precision is fp16.</summary>
    public required double LossScale { get; init; }

    /// <summary>Global L2 norm of the unscaled gradient before clipping; null when not finite.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Mean per-token L2 norm of the last block's output before the final LayerNorm (OPT's actv_norm).</summary>
    public double? ActivationNorm { get; init; }

    /// <summary>True when the update was skipped because of a non-finite gradient.</summary>
    public required bool Skipped { get; init; }

    /// <summary>Mean validation loss by corpus, on attempts that validated.</summary>
    public EquatableList<ValidationLoss> Validation { get; set; } = [];

    /// <summary>When the attempt ended.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>Wall seconds of the attempt, its parts below included.</summary>
    public required double Seconds { get; init; }

    public StepTiming Timing { get; set; } = new();
    public required double TokensPerSecond { get; init; }

    /// <summary>The values in force, as rank 0 applied them; the agreement all-reduce proved that all ranks did.</summary>
    public required HyperParameters HyperParameters { get; init; }

    /// <summary>How checkpoints are saved, kept and judged during this attempt, proved as the values above; null from trainers that take it at launch only.</summary>
    public CheckpointSettings? Checkpointing { get; init; }

    /// <summary>Ranks whose own numbers stood apart from the others' in this attempt; normally none.</summary>
    public EquatableList<RankOutlier> Outliers { get; set; } = [];

    /// <summary>The rank that worked longest in this attempt; null where there is only one.</summary>
    public RankPace? Slowest { get; init; }

    /// <summary>Step of a checkpoint whose commit completed since the last record, if one did.</summary>
    public long? CommittedStep { get; init; }

    /// <summary>What became of the saves of this launch so far; null where there is no store.</summary>
    public SaveCounts? Saves { get; init; }
}

/// <summary>The fields of <see cref="CheckpointSpec"/> that a running trainer reports in force.</summary>
public sealed record CheckpointSettings(CheckpointInterval Every, RetentionSpec Keep, HealthSpec HealthyWhen)
{
    public static CheckpointSettings Of(CheckpointSpec spec) => new(spec.Every, spec.Keep, spec.HealthyWhen);
}

/// <summary>What became of the saves of one launch, counted by rank 0.</summary>
/// <param name="Committed">In the store.</param>
/// <param name="InMemory">Committed in the memory of the nodes.</param>
/// <param name="Failed">Not committed.</param>
/// <param name="Skipped">Were due while another was being uploaded, and left out (checkpoint.upload.whenBusy).</param>
/// <param name="Late">Were due while another was being uploaded, and made after it.</param>
public readonly record struct SaveCounts(int Committed, int InMemory, int Failed, int Skipped, int Late);

/// <summary>Loss on one validation corpus.</summary>
public readonly record struct ValidationLoss(string Corpus, double Loss);

/// <summary>Parts of an attempt in seconds, on rank 0.</summary>
public sealed record StepTiming
{
    public double Data { get; init; }
    public double Forward { get; init; }
    public double Backward { get; init; }

    /// <summary>Time the compute thread waited for collectives.</summary>
    public double ExposedCommunication { get; init; }

    public double Optimizer { get; init; }

    /// <summary>Time training stood still for a checkpoint: to begin it, and for what was not copied yet when the update was due.</summary>
    public double CheckpointStall { get; init; }
}

/// <summary>A rank that stood apart.</summary>
/// <param name="Signal">weights (largest magnitude in its shard), gradient (norm of its shard) or loss (mean over its own samples).</param>
/// <param name="Value">Its value; null when not finite.</param>
/// <param name="Typical">The median of all ranks.</param>
public readonly record struct RankOutlier(int Rank, string Signal, double? Value, double? Typical);

/// <summary>How long a rank worked in an attempt: forward, backward and reading data, without the time it waited for other ranks.</summary>
/// <param name="Seconds">Its working time.</param>
/// <param name="Typical">The median of all ranks, the lower of the two middle ones where their number is even.</param>
public readonly record struct RankPace(int Rank, double Seconds, double Typical);
