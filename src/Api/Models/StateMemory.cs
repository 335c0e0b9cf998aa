using Opt.Api.Protocol;

namespace Opt.Api;

/// <summary>
/// What weights, gradients and Adam's moments take of each accelerator: the part of a run's memory that grows as machines are lost (ZeRO, arXiv 1910.02054,
/// section 3.1). Everything else comes on top: `opt-trainer plan` prints it.
/// </summary>
public static class StateMemory
{
    private const int Float = 4, Half = 2, Moments = 2 * Float, Gradient = Float;

    /// <summary>Bytes of one parameter: gradient and two moments in fp32; weights in fp32, with a 16-bit copy where that is computed with, or that alone.</summary>
    public static int BytesPerParameter(bool in16Bit, bool masterWeights) => Gradient + Moments + (in16Bit ? Half + (masterWeights ? Float : 0) : Float);

    /// <summary>Bytes of one rank, padding left out.</summary>
    /// <param name="dataParallel">Data-parallel ranks. Where the shard size does not divide them, state is sharded over all.</param>
    public static long BytesPerRank(TrainingConfig training, int dataParallel)
    {
        ArgumentNullException.ThrowIfNull(training);
        var shards = training.DataParallelShard is { } size && dataParallel % size == 0 ? size : dataParallel;
        return training.Model.ParameterCount * BytesPerParameter(training.Precision is not V1Alpha1.Precision.Fp32, training.MasterWeights) / ((long)training.TensorParallel * shards);
    }
}
