using Opt.Trainer.Loop;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

public sealed class RankWatchTests
{
    [Fact]
    public void The_rank_that_worked_longest_is_named_beside_the_median()
    {
        var watch = new RankWatch(4);
        double[] sum = new double[16];
        foreach (var (rank, worked) in new[] { (0, 1.0), (1, 1.1), (2, 2.5), (3, 0.9) })
        {
            foreach (var (place, value) in watch.Place(rank, new(1, 1, 1, worked)).Select((v, i) => (i, v))) sum[place] += value;
        }

        Assert.Equal(new(2, 2.5, 1.0), watch.Slowest(sum));
        Assert.Null(new RankWatch(1).Slowest(new RankWatch(1).Place(0, new(1, 1, 1, 5))));
    }

    [Fact]
    public void A_rank_whose_weights_jump_alone_stands_apart_and_goes_on_doing_so()
    {
        var watch = new RankWatch(2);
        Assert.Empty(watch.Observe(Attempt(1, 1)));
        Assert.Equal([(1, "weights")], watch.Observe(Attempt(1, 1e30)).Select(o => (o.Rank, o.Signal)));
        Assert.Equal([(1, "weights")], watch.Observe(Attempt(1, 1e30)).Select(o => (o.Rank, o.Signal)));
    }

    [Fact]
    public void A_learning_rate_that_makes_all_shards_jump_blames_nobody()
    {
        var watch = new RankWatch(2);
        watch.Observe(Attempt(1, 1));
        Assert.Empty(watch.Observe(Attempt(100, 120)));
    }

    [Theory]
    [InlineData(double.NaN, 1.0, 1)]
    [InlineData(double.NaN, double.NaN, 0)]   // what reaches all is not one machine's
    public void A_loss_that_is_not_finite_counts_against_a_rank_only_when_the_others_is(double second, double others, int outliers)
    {
        var watch = new RankWatch(4);
        double[] values = [.. new[] { others, second, others, others }.SelectMany(loss => new[] { 1, 1, loss, 1 })];
        Assert.Equal(outliers, watch.Observe(values).Count);
    }

    private static double[] Attempt(params double[] weights)
    {
        var watch = new RankWatch(weights.Length);
        var sum = new double[4 * weights.Length];
        for (var rank = 0; rank < weights.Length; rank++)
        {
            var own = watch.Place(rank, new(weights[rank], 1, 1));
            for (var i = 0; i < sum.Length; i++) sum[i] += own[i];
        }

        return sum;
    }
}
