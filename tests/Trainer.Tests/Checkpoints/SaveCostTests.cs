using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public sealed class SaveCostTests
{
    private readonly SaveCost _cost = new();

    [Fact]
    public void A_save_costs_its_stall_and_what_its_attempt_took_longer_than_others()
    {
        Plain(20, 20.1, 19.9, 25);
        Save(took: 20.25, waited: 0.1, copy: 0.8);
        Assert.Equal(0.1 + 20.25 - 20.05, _cost.Value.TotalSeconds, 1e-6);
    }

    [Theory]
    [InlineData(40, 0.1 + 0.7), InlineData(15, 0.1 + 0.07)]
    public void An_attempt_that_took_long_or_short_for_other_reasons_counts_for_no_more_than_the_copy_and_no_less_than_a_tenth_of_it(double took, double expected)
    {
        Plain(20, 20, 20);
        Save(took, waited: 0.1, copy: 0.8);
        Assert.Equal(expected, _cost.Value.TotalSeconds, 1e-6);
    }

    [Fact]
    public void The_median_of_the_newest_saves_counts_and_where_every_attempt_saves_the_whole_copy_does()
    {
        Assert.Equal(TimeSpan.Zero, _cost.Value);
        Save(took: 20, waited: 0, copy: 0.4);
        Assert.Equal(0.4, _cost.Value.TotalSeconds, 1e-6);
        for (var i = 0; i < 5; i++) Save(took: 20, waited: 0.1, copy: 0.3);
        Assert.Equal(0.3, _cost.Value.TotalSeconds, 1e-6);
    }

    [Fact]
    public void A_copy_that_was_waited_for_to_the_end_costs_no_more_than_the_wait()
    {
        Plain(20, 20, 20);
        Save(took: 30, waited: 0.5, copy: 0.5);
        Assert.Equal(0.5, _cost.Value.TotalSeconds, 1e-6);
    }

    private void Plain(params double[] seconds) => Array.ForEach(seconds, s => _cost.Note(TimeSpan.FromSeconds(s), null));

    private void Save(double took, double waited, double copy) => _cost.Note(TimeSpan.FromSeconds(took), new SnapshotTime(TimeSpan.FromSeconds(waited), TimeSpan.FromSeconds(copy)));
}
