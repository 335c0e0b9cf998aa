using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Optimization;
using Xunit;

namespace Opt.Trainer.Tests.Optimization;

public sealed class LossScalerTests
{
    private static readonly HyperParameters Opt175B = Values(window: 132, floor: 0.25, LossScaleWindow.Fixed);
    private static readonly HyperParameters After115 = Values(window: 256, floor: 1.0 / 32, LossScaleWindow.Adaptive);

    [Fact]
    public void A_fixed_window_doubles_every_window_of_good_attempts() =>
        Assert.Equal([(131, 8.0), (263, 16), (395, 32)], Changes(Opt175B, 500, _ => false)[..3]);

    [Fact]
    public void An_overflow_halves_and_restarts_the_window() =>
        Assert.Equal([(100, 2.0), (232, 4), (364, 8), (496, 16)], Changes(Opt175B, 500, i => i == 100));

    [Fact]
    public void Overflows_stop_at_the_floor() =>
        Assert.Equal([(100, 2.0), (101, 1), (102, 0.5), (103, 0.25), (240, 0.5), (372, 1), (504, 2), (636, 4)], Changes(Opt175B, 640, i => i is >= 100 and <= 108));

    [Fact]
    public void An_adaptive_window_doubles_with_the_scale() =>
        Assert.Equal([(255, 8.0), (511, 16), (1023, 32), (2047, 64)], Changes(After115, 2100, _ => false));

    [Fact]
    public void An_adaptive_window_halves_on_overflow() =>
        Assert.Equal([(100, 2.0), (228, 4), (356, 8), (612, 16), (1124, 32)], Changes(After115, 1200, i => i == 100));

    [Fact]
    public void An_adaptive_scale_is_held_at_its_floor_while_the_window_shrinks_to_one() => Assert.Equal(
        [(100, 2.0), (101, 1), (102, 0.5), (103, 0.25), (104, 0.125), (105, 0.0625), (106, 0.03125), (109, 0.0625), (110, 0.125), (112, 0.25), (116, 0.5), (124, 1), (140, 2), (172, 4)],
        Changes(After115, 200, i => i is >= 100 and <= 108));

    [Fact]
    public void The_recorded_metaseq_trace_is_followed()
    {
        double[] expected = [4, 4, 4, 2, 1, 2, 4, 4, 8, 4, 2, 1, .5, .25, .125, .0625, .03125, .03125, .03125, .03125, .03125, .0625, .125, .125, .25, .25, .25, .25, .5, .5];
        var values = Values(window: 4, floor: 1.0 / 32, LossScaleWindow.Adaptive);
        var scaler = LossScaler.Start(values);
        var trace = Enumerable.Range(0, expected.Length).Select(i => (scaler = scaler.After(i is 3 or 4 or (>= 9 and <= 20), values)).Scale);
        Assert.Equal(expected, trace);
    }

    [Fact]
    public void Endless_overflow_at_the_floor_gives_up()
    {
        var scaler = LossScaler.Start(Opt175B);
        var attempts = 0;
        while (!scaler.GivesUp) (scaler, attempts) = (scaler.After(true, Opt175B), attempts + 1);
        Assert.Equal(4 + LossScaler.AbortAfter, attempts);   // 4 -> 2 -> 1 -> 0.5 -> 0.25, then the patience
    }

    [Fact]
    public void State_survives_a_checkpoint()
    {
        var scaler = LossScaler.Start(After115);
        for (var i = 0; i < 77; i++) scaler = scaler.After(i % 10 == 3, After115);
        Assert.Equal(scaler, LossScaler.FromState(scaler.ToState()));
    }

    [Theory]
    [InlineData(1, 1, 1), InlineData(2, 2, 1), InlineData(4, 2, 2), InlineData(8, 4, 2), InlineData(16, 4, 4), InlineData(31, 2, 15.5)]
    [InlineData(32, 8, 4), InlineData(62, 4, 15.5), InlineData(64, 8, 8), InlineData(124, 8, 15.5), InlineData(128, 16, 8), InlineData(248, 16, 15.5), InlineData(256, 16, 16)]
    public void Pre_and_post_divide_follow_fairscale(int ranks, double pre, double post)
    {
        // 31 and the odd sizes: a factor that does not divide the ranks ends the search before it is applied again.
        Assert.Equal(new(pre, post), PrePostDivide.Of(ranks));
    }

    [Fact]
    public void Clipping_scales_to_the_clip_exactly_and_only_above_it()
    {
        Assert.Equal(0.15, GradientClipping.Coefficient(2.0, 0.3));
        Assert.Equal(1, GradientClipping.Coefficient(0.2, 0.3));
        Assert.Equal(1, GradientClipping.Coefficient(1e9, 0));
    }

    [Fact]
    public void The_loss_scale_keeps_its_meaning_at_any_layout()
    {
        // OPT: 8 sequences of 2048 per data-parallel group, loss summed over them, scale 4.
        Assert.Equal(4, GradientScale.Of(4, 124L * 16_384, 124).Seed);
        foreach (var ranks in (int[])[1, 2, 3, 124])
        {
            var scale = GradientScale.Of(8, 6144, ranks);
            Assert.Equal(1.0 / 6144, scale.Seed * scale.Unscale, 1e-18);
        }
    }

    private static List<(int, double)> Changes(HyperParameters values, int attempts, Func<int, bool> overflows)
    {
        var scaler = LossScaler.Start(values);
        List<(int, double)> changes = [];
        for (var i = 0; i < attempts; i++)
        {
            var next = scaler.After(overflows(i), values);
            if (next.Scale != scaler.Scale) changes.Add((i, next.Scale));
            scaler = next;
        }

        return changes;
    }

    private static HyperParameters Values(int window, double floor, LossScaleWindow rule) => new()
    {
        PeakLearningRate = 1, EndLearningRate = 0, WarmupSteps = 0, DecaySteps = 1, GradientClip = 1, Optimizer = new(), TotalSteps = 1,
        LossScaleInitial = 4, LossScaleWindow = window, LossScaleFloor = floor, LossScaleWindowRule = rule,
    };
}
