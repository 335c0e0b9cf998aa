using Opt.Api.Protocol;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Loop;

/// <summary>What all ranks agreed on after an attempt.</summary>
internal readonly record struct Agreed(bool FoundInf, bool StopRequested, double Loss, double SumOfSquares, double ActivationNorm);

/// <summary>
/// The agreement of an attempt: one integer all-reduce (overflow, smallest and largest digest of the applied values and of the sequence of
/// collectives, stop requests) and one sum. Overflow is a flag, never a value: how a maximum treats NaN differs between backends.
/// </summary>
internal static class Agreement
{
    /// <param name="sums">This rank's sums; those replicated over tensor-parallel ranks must be 0 on all but the first.</param>
    /// <exception cref="TrainerException">ControlDiverged: ranks hold different values, count attempts differently, or issued different collectives.</exception>
    public static Agreed Reach(World world, AppliedValues applied, long attempt, bool foundInf, bool stopRequested, double[] sums)
    {
        var sequence = (long)(world.Collectives.Sequence & long.MaxValue);
        long[] flags = [foundInf ? 1 : 0, stopRequested ? 1 : 0, applied.Digest, ~applied.Digest, attempt, ~attempt, sequence, ~sequence];
        world.MaxOverAll(flags);
        Same(flags[2], flags[3], "the live values in force", applied.Revision);
        Same(flags[4], flags[5], "the attempt", applied.Revision);
        Same(flags[6], flags[7], "the sequence of collectives", applied.Revision);
        world.SumOverAll(sums);
        return new(flags[0] != 0, flags[1] != 0, sums[0], sums[1], sums[2]);
    }

    private static void Same(long largest, long complementOfSmallest, string what, int revision)
    {
        if (largest != ~complementOfSmallest) throw new TrainerException(WorkerExit.ControlDiverged, $"ranks disagree on {what} at revision {revision}");
    }
}
