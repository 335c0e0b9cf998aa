using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Checkpoints;

/// <summary>The scalars of a run at a step boundary; the same on every rank.</summary>
public sealed record TrainingState
{
    /// <summary>Every forward, skipped ones included.</summary>
    public required long Attempt { get; init; }

    /// <summary>Successful updates.</summary>
    public required long Step { get; init; }

    /// <summary>Samples consumed, successful or not: the data cursor, since the sample at an index is a pure function of seed, corpora and index.</summary>
    public required long Samples { get; init; }

    public required long Tokens { get; init; }

    /// <summary>Epochs this run descends from, oldest first, this one included, as "1.2.5".</summary>
    public required string Lineage { get; init; }

    /// <summary>Null unless precision is fp16.</summary>
    public LossScalerState? Scaler { get; init; }

    /// <summary>Values in force, for the record: never restored from here.</summary>
    public required HyperParameters HyperParameters { get; init; }

    /// <summary>Digest of seed, order and corpora: a cursor is only meaningful with the same data.</summary>
    public required string DataFingerprint { get; init; }

    /// <summary>What the corpora held; null in checkpoints of older trainers.</summary>
    public EquatableList<CorpusDigest>? Corpora { get; init; }

    public EquatableList<SampleRange> SkipSamples { get; set; } = [];

    /// <summary>Digest of layout, hardware, library and thread environment: equal means a resume is exact bit for bit.</summary>
    public required string EnvironmentHash { get; init; }

    /// <summary>Step at which the optimizer's moments last began from zero: Adam's bias correction counts from there.</summary>
    public long MomentsFrom { get; init; }
}

/// <summary>Dynamic loss scaler with its counters (metaseq dynamic_loss_scaler.py).</summary>
public sealed record LossScalerState
{
    public required double Scale { get; init; }
    public required int Window { get; init; }

    /// <summary>Attempts seen.</summary>
    public required long Iteration { get; init; }

    public required long LastOverflow { get; init; }
    public required long LastRescale { get; init; }
    public required long OverflowsSinceRescale { get; init; }
}
