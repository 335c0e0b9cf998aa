using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;
using Xunit;

namespace Opt.Planning.Tests.Divergence;

public sealed class DivergencePoliciesTests
{
    private static readonly DivergencePolicySpec LossSpike = new()
    {
        Name = "loss-spike",
        When = new() { Loss = new() { Spike = 8, ForSteps = 3 }, AfterStep = 100 },
        Then = [new() { Rollback = new() { To = RollbackTarget.LastHealthy } }, new() { LearningRate = new() { Multiply = 0.66, Floor = 1e-6 } }],
        Escalation = [new() { Then = [new() { Rollback = new() { Checkpoints = 3 } }, new() { LearningRate = new() { Multiply = 0.5, Floor = 1e-6 } }] }],
        Limit = 3,
    };

    [Fact]
    public void A_healthy_noisy_curve_never_fires()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var curve = Curve.Healthy(600, seed);
            for (var at = 0; at < curve.Count; at++) Assert.Empty(DivergencePolicies.Evaluate([LossSpike], curve, at, []));
        }
    }

    [Fact]
    public void A_spike_that_heals_within_two_steps_does_not_fire()
    {
        var curve = Curve.Healthy(500, seed: 1).Troubled(400, (r, since) => since < 2 ? r with { Loss = r.Loss * 3 } : r);
        Assert.All(Enumerable.Range(380, 60), length => Assert.Empty(Judge([LossSpike], curve[..length], [])));
    }

    [Fact]
    public void A_spike_that_stays_fires_at_its_third_step_and_names_the_onset()
    {
        var curve = Curve.Healthy(500, seed: 1).Troubled(400, (r, _) => r with { Loss = r.Loss * 2 });

        Assert.Empty(Judge([LossSpike], curve[..402], []));
        var decision = Assert.Single(Judge([LossSpike], curve[..403], []));

        Assert.Equal((0, 400L), (decision.Rung, Onset.StepBefore(curve, decision.Onset)));
    }

    [Fact]
    public void The_onset_is_where_the_norms_began_to_move_not_where_the_loss_crossed_its_bound()
    {
        var curve = Curve.Healthy(500, seed: 3)
            .Troubled(350, (r, since) => r with { ActivationNorm = r.ActivationNorm * (1.2 + since * 0.01) })
            .Troubled(400, (r, _) => r with { Loss = r.Loss * 2 });

        var decision = Assert.Single(Judge([LossSpike], curve[..403], []));

        Assert.InRange(Onset.StepBefore(curve, decision.Onset), 345, 352);
    }

    [Fact]
    public void The_same_attempt_never_fires_twice_and_a_relapse_takes_the_next_rung_then_pauses()
    {
        var curve = Curve.Healthy(600, seed: 1).Troubled(400, (r, since) => since % 50 < 5 ? r with { Loss = r.Loss * 2 } : r);
        var firings = new List<PolicyFiring>();
        var rungs = new List<(int, bool)>();
        for (var length = 400; length <= 600; length++)
        {
            foreach (var decision in Judge([LossSpike with { Cooldown = new() { Steps = 20 } }], curve[..length], firings))
            {
                rungs.Add((decision.Rung, decision.Exhausted));
                firings.Add(DivergencePolicies.Record(decision, curve[length - 1], DateTimeOffset.UnixEpoch));
                Assert.Empty(Judge([LossSpike], curve[..length], firings));
            }
        }

        Assert.Equal([(0, false), (1, false), (1, false), (1, true)], rungs);
    }

    [Fact]
    public void Only_the_first_of_two_policies_acts_and_a_shadow_policy_is_recorded_beside_it()
    {
        var curve = Curve.Healthy(500, seed: 1).Troubled(400, (r, _) => r with { Loss = r.Loss * 2 });
        var shadow = LossSpike with { Name = "shadow", Mode = PolicyMode.Shadow };

        var decisions = Judge([LossSpike, LossSpike with { Name = "second" }, shadow], curve[..403], []);

        Assert.Equal(["loss-spike", "shadow"], decisions.Select(d => d.Policy.Name));
    }

    [Fact]
    public void OPTs_healthy_oscillation_of_the_loss_scale_between_8_and_a_quarter_does_not_fire_a_scale_crash()
    {
        var crash = LossSpike with { When = new() { LossScale = new() { Below = 1, ForSteps = 20 } } };
        double[] scales = [8, 4, 2, 1, 0.5, 0.25, 0.5, 1, 2, 4];
        var curve = Curve.Healthy(500, seed: 1).Troubled(0, (r, at) => r with { LossScale = scales[at / 6 % scales.Length] });
        Assert.All(Enumerable.Range(1, 499), length => Assert.Empty(Judge([crash], curve[..length], [])));
    }

    [Fact]
    public void A_scale_crash_fires_and_its_onset_is_the_first_halving()
    {
        var crash = LossSpike with { When = new() { LossScale = new() { Below = 1, ForSteps = 20 } } };
        var curve = Curve.Healthy(500, seed: 1).Troubled(400, (r, since) => r with { LossScale = Math.Max(0.25, 4 / Math.Pow(2, since / 2 + 1)), Skipped = true });

        var decision = Enumerable.Range(400, 60).SelectMany(length => Judge([crash], curve[..length], [])).First();

        Assert.Equal(400, Onset.StepBefore(curve, decision.Onset));
    }

    [Theory]
    [InlineData(1.2e-4, 0.66, 1e-6, 7.92e-5)]
    [InlineData(1.2e-6, 0.5, 1e-6, 1e-6)]
    public void Multiplying_the_learning_rate_stops_at_the_floor_and_keeps_the_ratio_of_the_end(double peak, double factor, double floor, double expected)
    {
        var before = Curve.At(1).HyperParameters with { PeakLearningRate = peak, EndLearningRate = peak / 10 };
        var after = LiveChanges.Apply(before, new() { LearningRate = new() { Multiply = factor, Floor = floor } }, "id");
        Assert.Equal(expected, after.PeakLearningRate, 12);
        Assert.Equal(after.PeakLearningRate / 10, after.EndLearningRate, 15);
    }

    [Fact]
    public void A_rollback_never_lands_on_a_condemned_pending_or_later_checkpoint()
    {
        CheckpointSummary[] checkpoints = [Saved(100, HealthVerdict.Healthy), Saved(200, HealthVerdict.Healthy), Saved(250, HealthVerdict.Pending), Saved(300, HealthVerdict.Condemned), Saved(350, HealthVerdict.Healthy)];
        Assert.Equal(200, RollbackTargets.Find(new() { To = RollbackTarget.LastHealthy }, checkpoints, onsetStep: 320)!.Step);
        Assert.Equal(200, RollbackTargets.Find(new() { Checkpoints = 2 }, checkpoints, onsetStep: 320)!.Step);
        Assert.Null(RollbackTargets.Find(new() { To = RollbackTarget.LastHealthy }, checkpoints, onsetStep: 50));
    }

    private static IReadOnlyList<DivergenceDecision> Judge(Opt.Api.EquatableList<DivergencePolicySpec> policies, IReadOnlyList<StepRecord> history, IReadOnlyList<PolicyFiring> firings) =>
        DivergencePolicies.Evaluate(policies, history, history.Count - 1, firings);

    private static CheckpointSummary Saved(long step, HealthVerdict verdict) => new()
    {
        Step = step, Attempt = step, Samples = step, Tokens = step, Epoch = 1, Entry = step, Path = $"step-{step}", ManifestDigest = "", Bytes = 1,
        CommittedAt = DateTimeOffset.UnixEpoch, Verdict = verdict,
    };
}
