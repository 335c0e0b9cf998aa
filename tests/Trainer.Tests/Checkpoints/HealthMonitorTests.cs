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
        _monitor.Committed(entry: 2, step: 10, new());
        Assert.Empty(Feed(11, 14));
        Assert.Equal([2L], Feed(15, 15));
        Assert.Empty(Feed(16, 30));
    }

    [Fact]
    public void A_low_loss_scale_starts_the_count_anew()
    {
        _monitor.Committed(2, 10, new());
        Feed(11, 13);
        Assert.Equal([new(2, HealthVerdict.Pending, "step 14: the loss scale is 0.25, below 0.5")], _monitor.Observe(TestRun.Record(14, lossScale: 0.25), lossScaling: true));
        Assert.Equal(14, _monitor.Now.LastBadStep);
        Assert.Empty(Feed(15, 18));
        Assert.Equal([2L], Feed(19, 19));
    }

    [Fact]
    public void Loss_scale_means_nothing_without_loss_scaling()
    {
        _monitor.Committed(2, 10, new());
        for (var step = 11; step < 15; step++) Assert.Empty(_monitor.Observe(TestRun.Record(step, lossScale: 0.25), lossScaling: false));
        Assert.Equal([new(2, HealthVerdict.Healthy, "good steps up to 15")], _monitor.Observe(TestRun.Record(15, lossScale: 0.25), lossScaling: false));
    }

    [Fact]
    public void An_applied_step_with_a_loss_that_is_not_finite_is_bad_a_skipped_one_is_not()
    {
        _monitor.Committed(2, 10, new());
        _monitor.Observe(TestRun.Record(11, loss: null, skipped: true), lossScaling: true);
        Assert.Equal(0, _monitor.Now.LastBadStep);
        _monitor.Observe(TestRun.Record(12, loss: null), lossScaling: true);
        Assert.Equal((12, "the loss is not finite"), (_monitor.Now.LastBadStep, _monitor.Now.Trouble));
    }

    [Fact]
    public void A_loss_above_its_trailing_window_keeps_checkpoints_pending_with_the_reason_told_once_until_it_is_over()
    {
        _monitor.Committed(2, 100, new());
        Assert.Empty(Feed(1, 100));
        var told = new List<HealthFinding>();
        for (var step = 101; step <= 130; step++) told.AddRange(_monitor.Observe(TestRun.Record(step, loss: 4), lossScaling: true));
        var finding = Assert.Single(told);
        Assert.Equal((2L, HealthVerdict.Pending), (finding.Entry, finding.Verdict));
        Assert.Contains("the loss stands at", finding.Reason, StringComparison.Ordinal);
        Assert.Equal(130, _monitor.Now.LastBadStep);
        Assert.NotNull(_monitor.Now.Trouble);

        _monitor.Committed(3, 130, _monitor.Now);   // its commit says so itself
        var last = Assert.Single(Enumerable.Range(131, 30), step => Feed(step, step).Count > 0);
        Assert.Equal(_monitor.Now.LastBadStep + 5, last);
        Assert.InRange(last, 136, 145);   // the newest values are judged by their median
        Assert.Null(_monitor.Now.Trouble);
    }

    private List<long> Feed(long from, long to)
    {
        var healthy = new List<long>();
        for (var step = from; step <= to; step++) healthy.AddRange(_monitor.Observe(TestRun.Record(step), lossScaling: true).Where(f => f.Verdict == HealthVerdict.Healthy).Select(f => f.Entry));
        return healthy;
    }
}
