namespace Opt.Trainer.Data;

/// <summary>How the sequences of one attempt fall to data-parallel ranks: floor or ceiling each, in order, the same number of micro-batches everywhere.</summary>
public static class BatchPartition
{
    /// <summary>Position and number of the sequences of a rank.</summary>
    public static (int From, int Count) Of(int sequences, int ranks, int rank)
    {
        var (each, rest) = Math.DivRem(sequences, ranks);
        return (rank * each + Math.Min(rank, rest), each + (rank < rest ? 1 : 0));
    }

    /// <summary>Micro-batches every rank runs; a rank with fewer sequences runs padding of weight 0.</summary>
    public static int MicroBatches(int sequences, int ranks, int microBatch)
    {
        var most = (sequences + ranks - 1) / ranks;
        return Math.Max(1, (most + microBatch - 1) / microBatch);
    }

    /// <summary>Range of a rank's sequences that its micro-batch <paramref name="index"/> holds; may be empty.</summary>
    public static (int From, int Count) MicroBatch(int count, int microBatch, int index)
    {
        var from = Math.Min(count, index * microBatch);
        return (from, Math.Min(microBatch, count - from));
    }
}
