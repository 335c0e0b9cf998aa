using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Xunit;

namespace Opt.Trainer.Tests.Optimization;

public sealed class LearningRateTests
{
    [Theory]
    [InlineData(6e-4, 6e-5, 715, 572204, 1, 8.391608e-7), InlineData(6e-4, 6e-5, 715, 572204, 357, 2.995804e-4), InlineData(6e-4, 6e-5, 715, 572204, 715, 6e-4)]
    [InlineData(6e-4, 6e-5, 715, 572204, 100000, 5.061856e-4), InlineData(6e-4, 6e-5, 715, 572204, 286459, 3.300005e-4), InlineData(6e-4, 6e-5, 715, 572204, 572204, 6e-5)]
    [InlineData(3e-4, 3e-5, 715, 572204, 100000, 2.530928e-4), InlineData(2e-4, 2e-5, 357, 286102, 100000, 1.372317e-4), InlineData(1.6e-4, 1.6e-5, 357, 286102, 100000, 1.097853e-4)]
    [InlineData(1.2e-4, 1.2e-5, 178, 143051, 100000, 4.454294e-5), InlineData(1e-4, 1e-5, 89, 71525, 50000, 3.711868e-5), InlineData(8e-5, 8e-6, 178, 143051, 100000, 2.969530e-5)]
    [InlineData(1.2e-4, 1.2e-5, 2000, 143052, 1, 6e-8), InlineData(1.2e-4, 1.2e-5, 2000, 143052, 1000, 6e-5), InlineData(1.2e-4, 1.2e-5, 2000, 143052, 37000, 9.320137e-5)]
    [InlineData(6e-5, 6e-6, 2000, 143052, 38500, 4.602643e-5), InlineData(5.4e-5, 6e-6, 2000, 143052, 45000, 3.93671e-5), InlineData(4.5e-5, 6e-6, 2000, 143052, 56000, 3.00693e-5)]
    [InlineData(6e-5, 6e-6, 2000, 143052, 41000, 4.50693e-5), InlineData(6e-5, 6e-6, 2000, 143052, 43300, 4.41888e-5), InlineData(5.4e-5, 6e-6, 2000, 143052, 42500, 4.021785e-5)]
    [InlineData(4.5e-5, 6e-6, 2000, 143052, 46500, 3.269603e-5), InlineData(4.5e-5, 6e-6, 2000, 143052, 57100, 2.97652e-5)]
    [InlineData(3e-5, 6e-6, 2000, 143052, 60000, 2.01313e-5), InlineData(3e-5, 6e-6, 2000, 143052, 100000, 1.332530e-5)]
    [InlineData(0.1, 0.01, 20, 50, 10, 0.05), InlineData(0.1, 0.01, 20, 50, 20, 0.1), InlineData(0.1, 0.01, 20, 50, 35, 0.055), InlineData(0.1, 0.01, 20, 50, 50, 0.01)]
    public void The_schedule_reproduces_the_rates_of_the_opt_runs(double peak, double end, long warmup, long total, long step, double expected)
    {
        var values = new HyperParameters
        {
            PeakLearningRate = peak, EndLearningRate = end, WarmupSteps = warmup, DecaySteps = total, GradientClip = 1, Optimizer = new(), TotalSteps = total,
            LossScaleInitial = 4, LossScaleWindow = 1, LossScaleFloor = 1, LossScaleWindowRule = LossScaleWindow.Fixed,
        };
        Assert.Equal(1, values.LearningRateAt(step) / expected, 2e-6);
    }
}
