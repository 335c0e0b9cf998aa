namespace Opt.Trainer.Parallel;

/// <summary>Bytes one rank sends to its data-parallel group in one attempt, exactly as the schedule issues its collectives (by fp32 or 16-bit wire, padding included).</summary>
internal static class Traffic
{
    /// <param name="wireBytes">Bytes of an element on the wire.</param>
    /// <param name="rounds">Micro-batches of the attempt.</param>
    /// <param name="resident">Gathered blocks stay until the next update.</param>
    public static long BytesSent(UnitLayout root, UnitLayout block, int layers, int wireBytes, int rounds, bool resident)
    {
        var toEachPeer = root.ShardElements * 2 + block.ShardElements * (BlockGathers(layers, rounds, resident) + (long)rounds * layers);
        return (root.DataParallel - 1) * toEachPeer * wireBytes;
    }

    /// <summary>
    /// How often a block is gathered in one attempt. Two are there at a time, so every pass but the first finds two of them where the pass
    /// before it turned round.
    /// </summary>
    private static long BlockGathers(int layers, int rounds, bool resident) =>
        resident ? layers : layers + (2L * rounds - 1) * Math.Max(0, layers - 2);
}
