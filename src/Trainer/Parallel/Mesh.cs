using Opt.Api.Protocol;

namespace Opt.Trainer.Parallel;

/// <summary>
/// A rank's place. Tensor-parallel ranks are neighbours (one node), data-parallel ranks stride over them, as OPT laid out 8 x 124. Of the
/// data-parallel ranks, <paramref name="ShardParallel"/> neighbours hold one copy of the state between them; fewer than all means hybrid
/// sharding, with a replica of the state in each such group.
/// </summary>
/// <param name="ShardParallel">Ranks that share one copy; divides the data-parallel size. 0 for all.</param>
public sealed record Mesh(int Rank, int WorldSize, int TensorParallel, int ShardParallel = 0)
{
    /// <summary>Data-parallel ranks that hold one copy of the state between them.</summary>
    public int ShardParallel { get; } = ShardParallel == 0 ? WorldSize / TensorParallel : ShardParallel;

    public int TensorRank => Rank % TensorParallel;
    public int DataRank => Rank / TensorParallel;
    public int DataParallel => WorldSize / TensorParallel;

    /// <summary>Which shard of its copy this rank holds.</summary>
    public int ShardRank => DataRank % ShardParallel;

    /// <summary>Copies of the state.</summary>
    public int Replicas => DataParallel / ShardParallel;

    /// <summary>Which copy this rank is part of.</summary>
    public int Replica => DataRank / ShardParallel;

    /// <param name="shardParallel">As configured; where it does not divide the data-parallel size (a job that lost machines), or is null, all ranks share one copy.</param>
    /// <exception cref="TrainerException">Configuration: the world is not a multiple of the tensor-parallel size.</exception>
    public static Mesh Of(int rank, int worldSize, int tensorParallel, int? shardParallel = null)
    {
        if (worldSize % tensorParallel != 0) throw new TrainerException(WorkerExit.Configuration, $"topology.tensorParallel: {tensorParallel} does not divide the {worldSize} workers");
        return new(rank, worldSize, tensorParallel, shardParallel is { } shards && worldSize / tensorParallel % shards == 0 ? shards : 0);
    }
}
