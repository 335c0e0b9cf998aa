using FsCheck;
using FsCheck.Fluent;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Data;
using Xunit;

namespace Opt.Trainer.Tests.Data;

public sealed class SampleOrderTests
{
    [Fact]
    public void Every_round_visits_every_block_exactly_once_in_another_order()
    {
        foreach (var blocks in (long[])[1, 2, 3, 7, 64, 1000])
        {
            var order = new SampleOrder([blocks], [null], seed: 5, DataOrder.Shuffled);
            var first = Round(order, 0, blocks);
            var second = Round(order, 1, blocks);
            Assert.Equal(Enumerable.Range(0, (int)blocks).Select(b => (long)b), first.Order());
            Assert.Equal(first.Order(), second.Order());
            if (blocks >= 7) Assert.NotEqual(first, second);
        }

        static long[] Round(SampleOrder order, long round, long blocks) => [.. Enumerable.Range(0, (int)blocks).Select(i => order.At(round * blocks + i).Block)];
    }

    [Fact]
    public void A_permutation_is_a_bijection_for_any_size_and_key() =>
        Prop.ForAll(Gen.Choose(1, 500).ToArbitrary(), ArbMap.Default.ArbFor<ulong>(), (count, key) =>
        {
            var permutation = new Permutation(count, key);
            return Enumerable.Range(0, count).Select(i => permutation[i]).Distinct().Count() == count;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_order_never_changes_between_releases()
    {
        // A resumed run must read what it would have read: these values are frozen.
        var order = new SampleOrder([1_000_000], [null], seed: 1, DataOrder.Shuffled);
        Assert.Equal(Frozen, Enumerable.Range(0, 5).Select(i => order.At(i).Block));
    }

    private static readonly long[] Frozen = [647486, 586479, 859090, 562829, 774504];

    [Fact]
    public void Sequential_order_is_file_order_through_all_corpora_and_round_again()
    {
        var order = new SampleOrder([2, 3], [null, null], seed: 5, DataOrder.Sequential);
        Assert.Equal([new(0, 0), new(0, 1), new(1, 0), new(1, 1), new(1, 2), new(0, 0)], Enumerable.Range(0, 6).Select(i => order.At(i)));
    }

    [Fact]
    public void Without_weights_all_corpora_are_met_in_proportion_to_size()
    {
        var order = new SampleOrder([300, 100], [null, null], seed: 5, DataOrder.Shuffled);
        Assert.Equal(100, Enumerable.Range(0, 400).Count(i => order.At(i).Corpus == 1));
        Assert.InRange(Enumerable.Range(0, 100).Count(i => order.At(i).Corpus == 1), 10, 40);
    }

    [Fact]
    public void Weights_hold_over_every_stretch_not_only_on_average()
    {
        var order = new SampleOrder([10, 1000, 50], [0.5, 0.3, 0.2], seed: 5, DataOrder.Shuffled);
        var count = new int[3];
        for (var i = 0; i < 200_000; i++)
        {
            count[order.At(i).Corpus]++;
            for (var c = 0; c < 3; c++) Assert.InRange(count[c] - (i + 1) * (c == 0 ? 0.5 : c == 1 ? 0.3 : 0.2), -3.5, 3.5);
        }
    }

    [Fact]
    public void A_weighted_corpus_goes_through_all_its_blocks_before_any_comes_again()
    {
        var order = new SampleOrder([10, 1000], [0.5, 0.5], seed: 5, DataOrder.Shuffled);
        var first = Enumerable.Range(0, 200).Select(i => order.At(i)).Where(s => s.Corpus == 0).Take(10).Select(s => s.Block);
        Assert.Equal(10, first.Distinct().Count());
    }
}
