using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>Everything a launch needs to know about what to train, resolved: no defaults are left to apply. Part of the run plan.</summary>
public sealed record TrainingConfig
{
    public required ModelDimensions Model { get; init; }
    public required int TensorParallel { get; init; }
    /// <summary>Data-parallel ranks that share one copy of the state; null for all. See <see cref="TopologySpec.DataParallelShard"/>.</summary>
    public int? DataParallelShard { get; set; }

    public required DeviceKind Device { get; init; }
    public required DataSpec Data { get; init; }
    public required int SequenceLength { get; init; }

    /// <summary>Sequences per optimizer step, over all ranks.</summary>
    public required int BatchSequences { get; init; }

    public required int MicroBatchSequences { get; init; }
    public required Precision Precision { get; init; }
    /// <summary>Weights are kept in fp32 beside their 16-bit copy.</summary>
    public bool MasterWeights { get; set; } = true;

    public required ActivationCheckpointing ActivationCheckpointing { get; init; }
    public required bool ReshardAfterForward { get; init; }
    public required long Seed { get; init; }
    public required CheckpointSpec Checkpoint { get; init; }

    /// <summary>The live values at the start of the epoch.</summary>
    public required HyperParameters HyperParameters { get; init; }

    public long BatchTokens => (long)BatchSequences * SequenceLength;
}
