using Opt.Api.Protocol;

namespace Opt.Trainer.Parallel;

/// <summary>A rank's place: tensor-parallel ranks are neighbours (one node), data-parallel (FSDP) groups stride over them, as OPT laid out 8 x 124.</summary>
public sealed record Mesh(int Rank, int WorldSize, int TensorParallel)
{
    public int TensorRank => Rank % TensorParallel;
    public int DataRank => Rank / TensorParallel;
    public int DataParallel => WorldSize / TensorParallel;

    /// <exception cref="TrainerException">Configuration: the world is not a multiple of the tensor-parallel size.</exception>
    public static Mesh Of(int rank, int worldSize, int tensorParallel) => worldSize % tensorParallel == 0
        ? new(rank, worldSize, tensorParallel)
        : throw new TrainerException(WorkerExit.Configuration, $"topology.tensorParallel: {tensorParallel} does not divide the {worldSize} workers");
}
