using System.Globalization;

namespace Opt.Trainer.Workers;

/// <summary>
/// Environment of a worker's two thread pools, OpenMP's (operators) and OpenBLAS' (matrix products). Both read it when they load, so it must be there
/// before the process is; <c>set_num_threads</c> reaches neither.
/// </summary>
internal static class ThreadPools
{
    /// <param name="threads">Threads of each pool.</param>
    public static IReadOnlyDictionary<string, string> Variables(int threads)
    {
        var text = threads.ToString(CultureInfo.InvariantCulture);
        return new Dictionary<string, string>
        {
            ["OMP_NUM_THREADS"] = text,
            ["OPENBLAS_NUM_THREADS"] = text,
            // OpenMP's idle threads spin by default, on the cores that the other pool's threads compute on (docs/measurements.md).
            ["OMP_WAIT_POLICY"] = "passive",
        };
    }
}
