using Opt.Api.Protocol;
using Opt.Trainer.Data;
using Xunit;

namespace Opt.Trainer.Tests.Data;

public sealed class BatchTests
{
    [Fact]
    public void Ranks_take_floor_or_ceiling_and_together_everything_once()
    {
        for (var ranks = 1; ranks <= 9; ranks++)
        {
            for (var sequences = 1; sequences <= 40; sequences++)
            {
                var parts = Enumerable.Range(0, ranks).Select(r => BatchPartition.Of(sequences, ranks, r)).ToArray();
                Assert.Equal(sequences, parts.Sum(p => p.Count));
                Assert.All(parts.Zip(parts.Skip(1)), p => Assert.Equal(p.First.From + p.First.Count, p.Second.From));
                Assert.InRange(parts.Max(p => p.Count) - parts.Min(p => p.Count), 0, 1);
            }
        }
    }

    [Fact]
    public void Micro_batches_cover_a_ranks_sequences_and_are_as_many_on_every_rank()
    {
        var rounds = BatchPartition.MicroBatches(sequences: 7, ranks: 3, microBatch: 2);
        Assert.Equal(2, rounds);
        Assert.Equal([(0, 2), (2, 1)], Enumerable.Range(0, rounds).Select(m => BatchPartition.MicroBatch(3, 2, m)));
        Assert.Equal([(0, 2), (2, 0)], Enumerable.Range(0, rounds).Select(m => BatchPartition.MicroBatch(2, 2, m)));
    }

    [Fact]
    public void An_attempt_reads_its_indices_minus_the_skip_ranges()
    {
        Assert.Equal([4L, 5, 6, 7], BatchCursor.Read(4, 4, []).Samples);
        var cut = BatchCursor.Read(4, 4, [new(5, 7)]);
        Assert.Equal([4L, 7], cut.Samples);
        Assert.Equal(8, cut.Next);
    }

    [Fact]
    public void Attempts_that_would_read_nothing_are_jumped_over_however_long_the_range()
    {
        var batch = BatchCursor.Read(8, 4, [new(8, 4_000_000_001)]);
        Assert.Equal([4_000_000_001L, 4_000_000_002, 4_000_000_003], batch.Samples);
        Assert.Equal(4_000_000_004, batch.Next);
        Assert.Equal([8L, 9, 10, 11], BatchCursor.Read(0, 4, [new(0, 4), new(4, 8)]).Samples);
    }

    [Fact]
    public void A_reshuffled_stretch_is_read_in_another_order_every_sample_once_and_nothing_else_moves()
    {
        long[] Places(params SampleShuffle[] shuffles) => BatchCursor.Read(0, 60, []).Ordered(shuffles).Samples;
        var once = Places(new SampleShuffle(10, 40, 7));
        Assert.Equal(Enumerable.Range(0, 60).Select(i => (long)i), once.Order());
        Assert.Equal(Enumerable.Range(0, 10).Concat(Enumerable.Range(40, 20)).Select(i => (long)i), [.. once[..10], .. once[40..]]);
        Assert.True(once[10..40].Select((s, i) => s == i + 10).Count(same => same) < 8, "most samples are elsewhere");
        Assert.NotEqual(once, Places(new SampleShuffle(10, 40, 8)));

        // A second change of order is a change of what the first had made of it: what was read up to its beginning stays read.
        var twice = Places(new SampleShuffle(10, 40, 7), new SampleShuffle(25, 60, 9));
        Assert.Equal(once[..25], twice[..25]);
        Assert.Equal(Enumerable.Range(0, 60).Select(i => (long)i), twice.Order());
    }
}
