using FsCheck;
using FsCheck.Fluent;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Which curves of loss and norms are trouble, and from which step on.</summary>
public sealed class HealthTrendsTests
{
    private const int Onset = 300, Length = 420;

    public static TheoryData<string> Good => ["flat", "falling", "falling fast, then slowly", "a spike of four steps", "norms grow while the loss falls", "the gradient norm alone grows", "the activation norm alone grows", "loss and norms are halved"];

    /// <summary>With the words of the reason and how many steps it may take.</summary>
    public static TheoryData<string, string, int> Bad => new()
    {
        { "the loss jumps by a fifth and stays", "the loss stands at", 6 },
        { "the loss creeps up by half within 100 steps", "the loss stands at", 60 },
        { "the loss explodes", "the loss stands at", 6 },
        { "both norms drift while the loss is flat", "the gradient norm grew", 100 },
    };

    [Theory]
    [MemberData(nameof(Good))]
    public void A_good_curve_is_no_trouble_at_any_step_however_noisy(string kind)
    {
        for (var seed = 0; seed < 3; seed++)
        {
            var troubles = Troubles(Curve(kind, seed, noise: 0.005 + 0.02 * seed));
            Assert.True(troubles.Count == 0, $"seed {seed}, step {troubles.Keys.FirstOrDefault()}: {troubles.Values.FirstOrDefault()}");
        }
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_bad_curve_is_told_with_its_reason_and_not_before_it_turns_bad(string kind, string reason, int within)
    {
        for (var seed = 0; seed < 3; seed++)
        {
            var troubles = Troubles(Curve(kind, seed, noise: 0.01));
            Assert.True(troubles.Count > 0, $"seed {seed}: {kind} was missed");
            Assert.InRange(troubles.Keys[0], Onset, Onset + within);
            Assert.StartsWith(reason, troubles.Values[0], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_lasts_is_the_usual_after_a_window()
    {
        var troubles = Troubles(Curve("the loss jumps by a fifth and stays", 1, noise: 0.01, length: 600));
        Assert.InRange(troubles.Keys[^1], Onset + 50, Onset + HealthTrends.Window);
    }

    [Fact]
    public void Zero_turns_a_trend_off()
    {
        Assert.Empty(Troubles(Curve("the loss explodes", 1, noise: 0.01), new() { LossSpike = 0 }));
        Assert.Empty(Troubles(Curve("both norms drift while the loss is flat", 1, noise: 0.01), new() { NormDrift = 0 }));
    }

    [Fact]
    public void A_loss_that_never_rises_above_what_it_was_is_never_raised_and_units_do_not_matter() => Prop.ForAll(
        Gen.Choose(1, 1000).SelectMany(start => Gen.ListOf(Gen.Choose(0, 100)).Select(falls => (start, falls))).ToArbitrary(),
        Gen.Choose(-6, 6).ToArbitrary(),
        (curve, exponent) =>
        {
            var level = 1000.0 + curve.start;
            List<double> losses = [];
            foreach (var fall in curve.falls) losses.Add(level *= 1 - fall / 1000.0);
            var scale = Math.Pow(4, exponent);   // exact in binary
            var (plain, scaled) = (Of(losses), Of([.. losses.Select(l => l * scale)]));
            return plain.Trouble(new()) is null && scaled.Trouble(new()) is null && plain.Loss.Growth == scaled.Loss.Growth && plain.Loss.Now * scale == scaled.Loss.Now;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_run_that_goes_on_is_compared_with_what_was_usual_before_until_it_has_a_window_of_its_own()
    {
        var before = Of([.. Enumerable.Repeat(2.5, 100)]);
        Assert.Null(HealthTrends.Of(Steps(Enumerable.Repeat(3.2, HealthTrends.Newest - 1)), before).Trouble(new()));
        Assert.Contains("above 2.5, its median over 91 steps before", HealthTrends.Of(Steps(Enumerable.Repeat(3.2, HealthTrends.Newest)), before).Trouble(new()), StringComparison.Ordinal);
        Assert.Null(HealthTrends.Of(Steps(Enumerable.Repeat(3.2, HealthTrends.Newest)), null).Trouble(new()));
        Assert.NotNull(HealthTrends.Of(Steps(Enumerable.Repeat(3.2, HealthTrends.Newest + HealthTrends.Window / 2 - 1)), before).Trouble(new()));
        Assert.Null(HealthTrends.Of(Steps(Enumerable.Repeat(3.2, HealthTrends.Newest + HealthTrends.Window / 2)), before).Trouble(new()));
    }

    private static HealthTrends Of(List<double> losses) => HealthTrends.Of(Steps(losses), null);

    private static List<StepRecord> Steps(IEnumerable<double> losses) => [.. losses.Select((loss, at) => TestRun.Record(at + 1, loss: loss))];

    private static SortedList<int, string> Troubles(StepRecord[] curve, HealthSpec? spec = null)
    {
        var found = new SortedList<int, string>();
        for (var end = 1; end <= curve.Length; end++)
        {
            var window = curve[Math.Max(0, end - HealthTrends.Window)..end];
            if (HealthTrends.Of(window, null).Trouble(spec ?? new()) is { } trouble) found.Add(end - 1, trouble);
        }

        return found;
    }

    private static StepRecord[] Curve(string kind, int seed, double noise, int length = Length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(at =>
        {
            var (loss, gradient, activation) = Levels(kind, at, Math.Max(0, at - Onset));
            return TestRun.Record(at + 1, loss: loss * Noise()) with { GradientNorm = gradient * Noise() * Noise(), ActivationNorm = activation * (1 + 0.1 * (Noise() - 1)) };
        })];

        // Box and Muller's normal deviate around 1.
        double Noise() => 1 + noise * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    /// <summary>Loss, gradient norm and activation norm without noise.</summary>
    private static (double Loss, double Gradient, double Activation) Levels(string kind, int at, int since) => kind switch
    {
        "falling" => (6 - at / 200.0, 0.3, 30),
        "falling fast, then slowly" => (2.5 + 8 * Math.Exp(-at / 25.0), 0.2 + 3 * Math.Exp(-at / 20.0), 30 - 20 * Math.Exp(-at / 60.0)),
        "a spike of four steps" => (since is > 0 and <= 4 ? 6 : 3, since is > 0 and <= 4 ? 2 : 0.3, 30),
        "norms grow while the loss falls" => (6 - at / 200.0, 0.3 * (1 + at / 150.0), 30 * (1 + at / 300.0)),
        "the gradient norm alone grows" => (3, 0.3 * (1 + since / 60.0), 30),
        "the activation norm alone grows" => (3, 0.3, 30 * (1 + since / 60.0)),
        "loss and norms are halved" => since > 0 ? (1.5, 0.15, 15) : (3, 0.3, 30),
        "the loss jumps by a fifth and stays" => (since > 0 ? 3.6 : 3, 0.3, 30),
        "the loss creeps up by half within 100 steps" => (3 + 1.5 * Math.Min(1, since / 100.0), 0.3, 30),
        "the loss explodes" => (3 * Math.Pow(1.3, Math.Min(40, since)), 0.3, 30),
        "both norms drift while the loss is flat" => (3, 0.3 * (1 + since / 100.0), 30 * (1 + since / 1000.0)),
        _ => (3, 0.3, 30),
    };
}
