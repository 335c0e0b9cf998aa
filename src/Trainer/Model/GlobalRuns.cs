using Opt.Trainer.Checkpoints;

namespace Opt.Trainer.Model;

/// <summary>A stretch of a rank's slice that is contiguous in the whole parameter, row-major.</summary>
/// <param name="From">First element within the slice.</param>
/// <param name="Position">First element within the whole parameter.</param>
internal readonly record struct GlobalRun(long From, long Position, long Length);

/// <summary>Where the elements of a tensor-parallel slice lie in the whole parameter.</summary>
internal static class GlobalRuns
{
    public static IEnumerable<GlobalRun> Of(ParameterSpec parameter, ParameterSlice slice, int tensorRank, int tensorParallel)
    {
        var local = parameter.LocalShape(tensorParallel);
        if (parameter.TensorParallelDim != 1)
        {
            var start = parameter.TensorParallelDim == 0 ? tensorRank * local.Aggregate(1L, (a, b) => a * b) : 0;
            yield return new(0, start + slice.ParameterOffset, slice.Length);
            yield break;
        }

        long columns = parameter.Shape[1], localColumns = local[1];
        for (var at = slice.ParameterOffset; at < slice.ParameterOffset + slice.Length;)
        {
            var (row, column) = Math.DivRem(at, localColumns);
            var length = Math.Min(localColumns - column, slice.ParameterOffset + slice.Length - at);
            yield return new(at - slice.ParameterOffset, row * columns + tensorRank * localColumns + column, length);
            at += length;
        }
    }
}
