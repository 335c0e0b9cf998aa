using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public sealed class HealthMonitorTests
{
    private readonly HealthMonitor _monitor = new(new HealthSpec { AfterSteps = 5, LossScaleAtLeast = 0.5 });

    [Fact]
    public void A_checkpoint_is_healthy_once_enough_good_steps_followed_and_is_told_once()
    {
        _monitor.Committed(entry: 2, step: 10);
        Assert.Empty(Feed(11, 14));
        Assert.Equal([2L], Feed(15, 15));
        Assert.Empty(Feed(16, 30));
    }

    [Fact]
    public void A_low_loss_scale_starts_the_count_anew()
    {
        _monitor.Committed(2, 10);
        Feed(11, 13);
        Assert.Empty(_monitor.Observe(TestRun.Record(14, lossScale: 0.25), lossScaling: true));
        Assert.Equal(14, _monitor.LastBadStep);
        Assert.Empty(Feed(15, 18));
        Assert.Equal([2L], Feed(19, 19));
    }

    [Fact]
    public void Loss_scale_means_nothing_without_loss_scaling()
    {
        _monitor.Committed(2, 10);
        for (var step = 11; step < 15; step++) Assert.Empty(_monitor.Observe(TestRun.Record(step, lossScale: 0.25), lossScaling: false));
        Assert.Equal([2L], _monitor.Observe(TestRun.Record(15, lossScale: 0.25), lossScaling: false));
    }

    [Fact]
    public void An_applied_step_with_a_loss_that_is_not_finite_is_bad_a_skipped_one_is_not()
    {
        _monitor.Committed(2, 10);
        _monitor.Observe(TestRun.Record(11, loss: null, skipped: true), lossScaling: true);
        Assert.Equal(0, _monitor.LastBadStep);
        _monitor.Observe(TestRun.Record(12, loss: null), lossScaling: true);
        Assert.Equal(12, _monitor.LastBadStep);
    }

    private List<long> Feed(long from, long to)
    {
        var healthy = new List<long>();
        for (var step = from; step <= to; step++) healthy.AddRange(_monitor.Observe(TestRun.Record(step), lossScaling: true));
        return healthy;
    }
}
