using System.Globalization;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;
using Opt.Testing;
using Xunit;

namespace Opt.Planning.Tests.Divergence;

/// <summary>The policies of <c>examples/opt-175b.yaml</c> on clean and bad curves, and on OPT-175B's own history.</summary>
public sealed class SamplePolicyTests
{
    private const int Steps = 600, Onset = 450;
    private static readonly int Curves = Environment.GetEnvironmentVariable("OPT_SOAK") == "1" ? 1000 : 12;

    private static readonly EquatableList<DivergencePolicySpec> Policies =
        [.. Yaml.Parse(File.ReadAllText(Repo.PathOf("examples", "opt-175b.yaml")))[0].AsObject()["spec"].Deserialize(SpecJson.Default.OptTrainingJobSpec)!.DivergencePolicies.Select(p => p with { When = p.When with { AfterStep = Math.Min(p.When.AfterStep, 200) } })];

    public static TheoryData<string, string, int> Kinds => new()
    {
        { "NaN", "not-finite", 3 },
        { "overflow loop", "overflow-loop", 45 },
        { "spike that stays", "loss-spike", 20 },
        { "slow drift of the norms", "norms-drift", 150 },
        { "gradient spikes", "gradient-spikes", 5 },
    };

    [Fact]
    public void Clean_noisy_curves_and_OPTs_healthy_oscillation_of_the_loss_scale_do_not_fire()
    {
        double[] scales = [8, 4, 2, 1, 0.5, 0.25, 0.5, 1, 2, 4];
        var fired = new List<string>();
        for (var seed = 0; seed < Curves; seed++)
        {
            var noise = 0.005 + 0.02 * (seed % 4);
            var curve = Curve.Healthy(Steps, seed, noise);
            // Halving to 0.25 and growing again, one overflow a halving, as OPT's chart shows; a spike of two steps heals by itself.
            if (seed % 2 == 0) curve = curve.Troubled(0, (r, at) => r with { LossScale = scales[at / 20 % scales.Length], Skipped = at % 20 == 0 && at / 20 % scales.Length is > 0 and < 6 });
            if (seed % 3 == 0) curve = curve.Troubled(300, (r, since) => since < 4 ? r with { Loss = r.Loss * 1.6, GradientNorm = r.GradientNorm * 4 } : r);
            fired.AddRange(Firings(curve).Select(f => $"seed {seed} at {f.At}: {f.Policy.Name}"));
        }

        Say($"| clean | {Curves} | {fired.Count} fired | |");
        Assert.Empty(fired);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_bad_curve_fires_the_policy_meant_for_it_within_so_many_steps_and_finds_the_onset(string kind, string policy, int within)
    {
        var delays = new List<int>();
        var errors = new List<int>();
        for (var seed = 0; seed < Curves; seed++)
        {
            var first = Firings(Bad(kind, seed)).FirstOrDefault();
            Assert.True(first is not null, $"seed {seed}: {kind} was missed");
            Assert.True(first.At >= Onset, $"seed {seed}: {first.Policy.Name} fired at {first.At}, before the trouble");
            Assert.Equal(policy, first.Policy.Name);
            delays.Add(first.At - Onset + 1);
            errors.Add(first.Onset - Onset);
        }

        delays.Sort();
        errors.Sort();
        Say($"| {kind} | {Curves} | {policy}: median {delays[Curves / 2]}, worst {delays[^1]} steps | {errors[Curves / 20]} .. {errors[^(Curves / 20 + 1)]} |");
        Assert.InRange(delays[^1], 1, within);
        // A late onset would leave a sick checkpoint in place; a drift's is taken early, since its first steps are within the noise.
        Assert.InRange(errors[^1], -300, kind.StartsWith("slow", StringComparison.Ordinal) ? 0 : 3);
    }

    [Fact]
    public void Every_ladder_ends()
    {
        foreach (var policy in Policies)
        {
            var firings = new List<PolicyFiring>();
            var curve = Curve.Healthy(60, seed: 1);
            for (var i = 0; i <= policy.Limit; i++)
            {
                // Whatever it does, the trouble comes back at once in the next epoch.
                var epoch = i + 1;
                var relapse = curve.Concat(Enumerable.Range(61, policy.Cooldown.Steps + 1).Select(step => Curve.At(step, epoch: epoch))).ToArray();
                var always = policy with { When = new() { Loss = new() { Above = 0 } } };
                var decision = Assert.Single(DivergencePolicies.Evaluate([always], relapse, relapse.Length - 1, firings));
                Assert.Equal(i == policy.Limit, decision.Exhausted);
                if (decision.Exhausted) Assert.True(Assert.Single(decision.Interventions).Pause);
                firings.Add(DivergencePolicies.Record(decision, relapse[^1], DateTimeOffset.UnixEpoch));
            }
        }
    }

    /// <summary>OPT-175B's figures (chronicles, read off the charts) as inputs; what people did is beside what the policies decide.</summary>
    [Theory]
    [InlineData("12.27-12.33: overflow at the lowest scale, 37k", "overflow-loop", 0.9)]     // people: seven manual restarts on one day, from checkpoints 100 steps back
    [InlineData("12.43: norms drift from 42.7k", "norms-drift", 0.9)]                        // people: back about 800 steps to 42.5k, rate -10 %
    [InlineData("12.45: gradient spikes, perplexity diverges, 46k", "loss-spike", 0.75)]     // people: back to 46.5k, peak 5.4e-5 -> 4.5e-5 (x 0.83)
    public void OPTs_own_troubles_get_the_policy_that_does_what_people_did(string stretch, string policy, double factor)
    {
        var start = stretch.Contains("37k", StringComparison.Ordinal) ? 36_400L : stretch.Contains("42.7k", StringComparison.Ordinal) ? 42_250L : 45_550L;
        List<StepRecord> curve = [.. Curve.Healthy(900, seed: 3).Select((r, i) => r with { Step = start + i, Attempt = start + i, Loss = 1.95 + (r.Loss - r.Loss) + 0.01 * Math.Sin(i), GradientNorm = 0.14 * (r.GradientNorm / 0.18), ActivationNorm = r.ActivationNorm * 4000 / 3400 })];
        curve = policy switch
        {
            "overflow-loop" => curve.Troubled(Onset, (r, since) => r with { Skipped = true, GradientNorm = null, LossScale = Math.Max(0.25, 4 / Math.Pow(2, since)) }),
            "norms-drift" => curve.Troubled(Onset, (r, since) => r with { GradientNorm = r.GradientNorm * (1 + since / 300.0), ActivationNorm = r.ActivationNorm * (1 + since / 4000.0) }),
            _ => curve.Troubled(Onset, (r, since) => r with { Loss = r.Loss + Math.Min(1.5, since * 0.05), GradientNorm = since % 7 == 0 ? 3 : r.GradientNorm }),
        };

        var decision = Firings(curve).First();

        Assert.Equal(policy, decision.Policy.Name);
        Assert.Equal(factor, decision.Interventions.Single(i => i.LearningRate is not null).LearningRate!.Multiply);
        var (onset, fired) = (curve[decision.Onset].Step, curve[decision.At].Step);
        Say($"| {stretch} | onset {onset}, fired {fired} | {policy}, rate x {factor} |");
        // Checkpoints were saved every 250 steps: the target is one from before the drift.
        Assert.InRange(onset, start + Onset - 250, start + Onset + 5);
    }

    private static List<StepRecord> Bad(string kind, int seed)
    {
        var clean = Curve.Healthy(Steps, seed);
        var random = new Random(seed);
        var size = 0.5 + random.NextDouble();
        return kind switch
        {
            "NaN" => clean.Troubled(Onset, (r, _) => r with { Loss = null, GradientNorm = null }),
            "overflow loop" => clean.Troubled(Onset, (r, since) => r with { Skipped = true, GradientNorm = null, LossScale = Math.Max(0.25, 4 / Math.Pow(2, since)) }),
            "spike that stays" => clean.Troubled(Onset, (r, since) => r with { Loss = r.Loss * (1.2 + size) }),
            "gradient spikes" => clean.Troubled(Onset, (r, since) => r with { GradientNorm = r.GradientNorm * (6 + 4 * size) }),
            _ => clean.Troubled(Onset, (r, since) => r with { GradientNorm = r.GradientNorm * (1 + since / 200.0), ActivationNorm = r.ActivationNorm * (1 + since / 1000.0) }),
        };
    }

    private static IEnumerable<DivergenceDecision> Firings(List<StepRecord> curve) => Enumerable.Range(0, curve.Count).SelectMany(at => DivergencePolicies.Evaluate(Policies, curve, at, []));

    private static void Say(string line) => TestContext.Current.SendDiagnosticMessage(line.ToString(CultureInfo.InvariantCulture));
}
