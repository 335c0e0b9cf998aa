using Opt.Api.Protocol;

namespace Opt.Trainer.Data;

/// <summary>The sample indices of one attempt, and the cursor after it.</summary>
public sealed record Batch(long[] Samples, long Next);

/// <summary>An attempt reads [samples, samples + batchSequences) minus the skip ranges; attempts that would read nothing are jumped over.</summary>
public static class BatchCursor
{
    /// <summary>The samples at the batch's places, after every change of order.</summary>
    public static Batch Ordered(this Batch batch, IReadOnlyList<SampleShuffle> shuffles) =>
        shuffles.Count == 0 ? batch : batch with { Samples = Array.ConvertAll(batch.Samples, place => At(place, shuffles)) };

    // The newest order says which place of the one before it is meant, and so on.
    private static long At(long place, IReadOnlyList<SampleShuffle> shuffles)
    {
        for (var i = shuffles.Count - 1; i >= 0; i--)
        {
            var (from, to, seed) = shuffles[i];
            if (place >= from && place < to) place = from + new Permutation(to - from, SplitMix.Key((ulong)seed, (ulong)from, 0))[place - from];
        }

        return place;
    }

    public static Batch Read(long samples, int batchSequences, IReadOnlyList<SampleRange> skip)
    {
        while (true)
        {
            var next = samples + batchSequences;
            var indices = new List<long>(batchSequences);
            for (var i = samples; i < next; i++)
            {
                if (!skip.Any(r => i >= r.From && i < r.To)) indices.Add(i);
            }

            if (indices.Count > 0) return new([.. indices], next);
            samples = Math.Max(next, Jump(samples, batchSequences, skip));
        }
    }

    // Straight to the batch that holds the end of the range we are in, so that a range of a billion samples costs nothing.
    private static long Jump(long samples, int batchSequences, IReadOnlyList<SampleRange> skip)
    {
        var end = skip.Where(r => samples >= r.From && samples < r.To).Max(r => r.To);
        return samples + (end - samples) / batchSequences * batchSequences;
    }
}
