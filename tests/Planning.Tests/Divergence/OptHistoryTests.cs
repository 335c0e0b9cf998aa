using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;
using Xunit;

namespace Opt.Planning.Tests.Divergence;

/// <summary>
/// The sample policies on OPT-175B's own run: its figures (chronicles of the run, levels read off their charts) are inputs. Where people
/// intervened a policy must, and where they had no reason to none may.
/// </summary>
public sealed class OptHistoryTests
{
    private const int Onset = 450;

    /// <summary>Attempts looked at of each stretch; its whole length with OPT_SOAK=1.</summary>
    private static readonly int Longest = SamplePolicies.Soaks ? int.MaxValue : 600;

    /// <param name="activation">Activation norm at the beginning and the end.</param>
    /// <param name="gradient">Gradient norm at the beginning and the end.</param>
    [Theory]
    [InlineData("21k to 37k: the activation norm rises by a quarter", 21_000, 16_000, new[] { 3400.0, 4300 }, new[] { 0.18, 0.15 })]
    [InlineData("38.5k to 42.5k: after the lower rate both norms fall", 38_500, 4_000, new[] { 4300.0, 3770 }, new[] { 0.15, 0.14 })]
    [InlineData("46.5k to 51.75k", 46_500, 5_250, new[] { 3770.0, 3770 }, new[] { 0.14, 0.135 })]
    [InlineData("51.75k to 57k: a library upgrade lowers the activation norm", 51_750, 5_250, new[] { 3770.0, 3200 }, new[] { 0.135, 0.135 })]
    public void OPTs_healthy_stretches_with_its_swinging_loss_scale_fire_nothing(string stretch, int from, int length, double[] activation, double[] gradient)
    {
        var random = new Random(from);
        double Between(double[] ends, int at) => ends[0] + (ends[1] - ends[0]) * at / length;
        List<StepRecord> curve = [.. Curve.Healthy(Math.Min(length, Longest), seed: from).Select((r, i) => r with
        {
            Step = from + i, Attempt = from + i, Loss = (1.95 - 5e-6 * i) * (1 + 0.01 * (random.NextDouble() - 0.5)),
            GradientNorm = Between(gradient, i) * r.GradientNorm / 0.18, ActivationNorm = Between(activation, i) * r.ActivationNorm / 3400,
        })];
        var scaled = Scaled(curve, random);

        SamplePolicies.Say(string.Create(CultureInfo.InvariantCulture, $"| {stretch} | {curve.Count} attempts, loss scale {scaled.Min(r => r.LossScale)} to {scaled.Max(r => r.LossScale)}, {scaled.Count(r => r.Skipped)} skipped | {SamplePolicies.Firings(scaled).Count()} fired |"));
        Assert.Contains(scaled, r => r.LossScale is >= 4);
        Assert.Contains(scaled, r => r.LossScale is < 1);
        Assert.Empty(SamplePolicies.Firings(scaled).Select(f => $"{f.Policy.Name} at {scaled[f.At].Step}"));
    }

    [Theory]
    [InlineData("11.4: explodes to NaN a few hundred updates after a restart", 1_000, "not-finite", 0.9)]      // people: a lower rate, by hand, after each
    [InlineData("12.27-12.33: overflow at the lowest scale, 37k", 36_400, "overflow-loop", 0.9)]               // people: seven restarts on one day, from 100 steps back
    [InlineData("12.43: norms drift from 42.7k", 42_250, "norms-drift", 0.9)]                                  // people: back about 800 steps to 42.5k, rate -10 %
    [InlineData("12.45: gradient spikes, perplexity diverges, 46k", 45_550, "loss-spike", 0.75)]               // people: back to 46.5k, peak 5.4e-5 -> 4.5e-5 (x 0.83)
    [InlineData("early: gradient spikes, loss unharmed", 3_000, "gradient-spikes", null)]                      // people: clip 1.0 -> 0.3
    public void OPTs_own_troubles_get_the_policy_that_does_what_people_did(string stretch, int from, string policy, double? factor)
    {
        List<StepRecord> healthy = [.. Curve.Healthy(700, seed: 3).Select((r, i) => r with { Step = from + i, Attempt = from + i, Loss = 1.95 + 0.01 * Math.Sin(i), GradientNorm = 0.14 * (r.GradientNorm / 0.18), ActivationNorm = r.ActivationNorm * 4000 / 3400 })];
        var curve = healthy.Troubled(Onset, (r, since) => Trouble(policy, r, since));

        var decision = SamplePolicies.Firings(curve).First();

        Assert.Equal(policy, decision.Policy.Name);
        Assert.Equal(factor, decision.Interventions.SingleOrDefault(i => i.LearningRate is not null)?.LearningRate!.Multiply);
        Assert.Equal(factor is null ? 0.3 : null, decision.Interventions.SingleOrDefault(i => i.GradientClip is not null)?.GradientClip!.Set);
        Assert.Equal(factor is not null, decision.Interventions.Any(i => i.Rollback is not null));
        var (onset, fired) = (curve[decision.Onset].Step, curve[decision.At].Step);
        SamplePolicies.Say($"| {stretch} | began {from + Onset}, onset {onset}, fired {fired} | {policy}, rate x {factor} |");
        // Checkpoints were saved every 250 steps: the target is one from before the drift.
        Assert.InRange(onset, from + Onset - 250, from + Onset + 5);
    }

    private static StepRecord Trouble(string policy, StepRecord r, int since) => policy switch
    {
        "not-finite" => r with { GradientNorm = since < 2 ? r.GradientNorm * Math.Pow(8, since + 1) : null, Loss = since < 2 ? r.Loss * (1 + 0.2 * since) : null },
        "overflow-loop" => r with { Skipped = true, GradientNorm = null, LossScale = Math.Max(0.25, 4 / Math.Pow(2, since)) },
        "norms-drift" => r with { GradientNorm = r.GradientNorm * (1 + since / 300.0), ActivationNorm = r.ActivationNorm * (1 + since / 4000.0) },
        "gradient-spikes" => r with { GradientNorm = 1.2 + 0.3 * Math.Sin(since) },
        _ => r with { Loss = r.Loss + Math.Min(1.5, since * 0.05), GradientNorm = since % 7 == 0 ? 3 : r.GradientNorm },
    };

    /// <summary>
    /// OPT's scaler (window 132, tolerance 0, lowest 0.25) over gradients that overflow the more often the higher the scale is, with rough patches of
    /// some attempts: the scale swings between 0.25 and 8, as the chronicles' chart shows.
    /// </summary>
    private static List<StepRecord> Scaled(List<StepRecord> curve, Random random)
    {
        var (scale, lastOverflow, rough) = (4.0, -1, 0);
        var scaled = new List<StepRecord>();
        for (var i = 0; i < curve.Count; i++)
        {
            if (rough == 0 && (i == 200 || random.NextDouble() < 1 / 700.0)) rough = 5;
            var overflows = rough > 0 || random.NextDouble() < 0.0003 * scale * scale;
            rough = Math.Max(0, rough - 1);
            scaled.Add(curve[i] with { LossScale = scale, Skipped = overflows, GradientNorm = overflows ? null : curve[i].GradientNorm });
            if (overflows) (scale, lastOverflow) = (Math.Max(0.25, scale / 2), i);
            else if ((i - lastOverflow) % 132 == 0) scale *= 2;
        }

        return scaled;
    }
}
