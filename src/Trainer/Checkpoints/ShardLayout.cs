namespace Opt.Trainer.Checkpoints;

/// <summary>What one rank holds: its place in the world and the slice table of its shard. Elements no slice covers are padding.</summary>
public sealed record ShardLayout
{
    public required int Rank { get; init; }
    public required int WorldSize { get; init; }
    public required int TensorParallelRank { get; init; }
    public required int TensorParallelSize { get; init; }
    public required IReadOnlyList<ParameterSlice> Slices { get; init; }
}
