using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Where a run of one parameter's elements lies in a rank's shard. "Local" is the rank's tensor-parallel part of the parameter: the
/// global shape with <see cref="TensorParallelDim"/> divided by the tensor-parallel size, flattened row-major.
/// </summary>
public sealed record ParameterSlice
{
    /// <summary>Name as in OPT's Hugging Face state dictionary, for example "model.decoder.layers.0.fc1.weight".</summary>
    public required string Parameter { get; init; }

    /// <summary>Shape without any parallelism.</summary>
    public required EquatableList<long> Shape { get; init; }

    /// <summary>Dimension (0 or 1) split over tensor-parallel ranks; null when every one of them holds the whole parameter.</summary>
    public int? TensorParallelDim { get; init; }

    /// <summary>FSDP unit the elements are part of.</summary>
    public required string Unit { get; init; }

    /// <summary>First element within this rank's buffers of the unit.</summary>
    public required long UnitOffset { get; init; }

    /// <summary>First element within the flattened local parameter.</summary>
    public required long ParameterOffset { get; init; }

    public required long Length { get; init; }
}
