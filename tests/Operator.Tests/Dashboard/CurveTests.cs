using FsCheck;
using FsCheck.Fluent;
using Opt.Operator.Dashboard.Curves;
using Xunit;

namespace Opt.Operator.Tests.Dashboard;

public sealed class CurveTests
{
    [Fact]
    public void Thinning_keeps_the_ends_and_the_extremes_of_every_signal_and_stays_within_its_measure() => Prop.ForAll(
        Gen.Choose(1, 1_000_000).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var rows = random.Next(1, 3000);
            double[][] columns = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, rows).Select(_ => random.Next(20) == 0 ? double.NaN : random.NextDouble()).ToArray())];
            var points = random.Next(10, 500);
            var chosen = Extremes.Of(columns, 0, rows, points);

            var kept = columns.All(c => c.All(double.IsNaN) || (chosen.Select(i => c[i]).Where(v => !double.IsNaN(v)).Max() == c.Where(v => !double.IsNaN(v)).Max() && chosen.Select(i => c[i]).Where(v => !double.IsNaN(v)).Min() == c.Where(v => !double.IsNaN(v)).Min()));
            return kept && chosen[0] == 0 && chosen[^1] == rows - 1 && chosen.Count <= points + 8 && chosen.SequenceEqual(chosen.Distinct().Order());
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_new_epoch_takes_back_the_steps_it_runs_again_and_an_old_record_changes_nothing()
    {
        var (curves, random) = (new StepColumns(), new Random(1));
        for (var step = 1; step <= 100; step++) curves.Add(SampleData.Record(step, random));
        curves.Add(SampleData.Record(51, random) with { Epoch = 2, Attempt = 51, Loss = 42 });
        curves.Add(SampleData.Record(99, random) with { Epoch = 1, Attempt = 101 });

        var (steps, values) = curves.Thinned(1000, 0, long.MaxValue - 1);

        Assert.Equal(51, steps.Length);
        Assert.Equal((51, 42.0), (steps[^1], values[0][^1]));
    }

    [Fact]
    public void A_skipped_attempt_shows_its_loss_scale_and_adds_no_step()
    {
        var (curves, random) = (new StepColumns(), new Random(1));
        curves.Add(SampleData.Record(1, random));
        curves.Add(SampleData.Record(1, random) with { Attempt = 2, Skipped = true, LossScale = 0.5 });

        var (steps, values) = curves.Thinned(10, 0, 100);

        Assert.Equal([1], steps);
        Assert.Equal(0.5, values[2][0]);
    }

    [Fact]
    public void A_stretch_is_cut_out_by_steps_not_by_positions()
    {
        var (curves, random) = (new StepColumns(), new Random(1));
        for (var step = 10; step <= 1000; step += 10) curves.Add(SampleData.Record(step, random) with { Epoch = 1 });

        Assert.Equal([50, 60, 70], curves.Thinned(100, 45, 70).Steps);
        Assert.Equal([980, 990, 1000], curves.After(970, 100).Steps);
        Assert.Equal([1000], curves.After(0, 1).Steps);
    }

    [Fact]
    public void A_million_steps_stay_within_the_memory_that_is_promised()
    {
        var (curves, random) = (new StepColumns(), new Random(1));
        var record = SampleData.Record(1, random);
        for (var step = 1; step <= 1_000_000; step++) curves.Add(record with { Step = step, Attempt = step, Epoch = 1 });

        Assert.InRange(curves.Count, 150_000, 300_000);
        Assert.Equal(1_000_000, curves.Thinned(100, 0, long.MaxValue - 1).Steps[^1]);
    }
}
