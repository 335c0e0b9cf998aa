using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests.Divergence;

/// <summary>Policies, requests and overrides through the whole planner, against the simulated world and its invariants.</summary>
public sealed class InterventionTests
{
    private static readonly DivergencePolicySpec Explosion = new()
    {
        Name = "explosion",
        When = new() { Loss = new() { Above = 5, ForSteps = 3 } },
        Then = [new() { Rollback = new() { To = RollbackTarget.LastHealthy } }, new() { LearningRate = new() { Multiply = 0.5 } }],
        Escalation = [new() { Then = [new() { Rollback = new() { Checkpoints = 2 } }, new() { LearningRate = new() { Multiply = 0.1 } }] }],
        Cooldown = new() { Steps = 5 },
        Limit = 2,
    };

    private static readonly DivergencePolicySpec Clip = new() { Name = "clip", When = new() { GradientNorm = new() { Above = 10 } }, Then = [new() { GradientClip = new() { Set = 0.3 } }] };

    [Fact]
    public void A_divergence_rolls_back_before_its_onset_with_the_absolute_values_of_the_decision_and_the_record_says_why()
    {
        var world = World([Explosion]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running, Step: > 25 });

        Assert.Equal(15, world.Plan!.Resume!.Step);   // 20 was not healthy yet when the trouble began
        Assert.Equal(5e-4, world.Plan.Training.HyperParameters.PeakLearningRate, 12);
        Assert.Equal("1.1", world.Status.Run);
        Assert.All(world.Commits.Where(c => c.Epoch == 1 && c.Step > 22), c => Assert.Equal(HealthVerdict.Condemned, c.Verdict));
        var set = world.Status.HyperParameters.Single(h => h.Name == "peakLearningRate");
        Assert.Equal(("0.0005", "policy explosion", "0.0005"), (set.Value, set.SetBy, set.Reported));
        Assert.Equal("True", world.Status.Conditions.Single(c => c.Type == ConditionTypes.OverrideApplied).Status);
        var entry = world.Status.Logbook.Single(e => e.Actor == "policy explosion");
        Assert.Contains("peakLearningRate 0.001 -> 0.0005", entry.What, StringComparison.Ordinal);
        Assert.Contains("onset at attempt 23", entry.Why, StringComparison.Ordinal);
        Assert.Empty(world.Plan.Budgets);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void An_operator_that_dies_between_decision_and_action_neither_forgets_nor_repeats_it(int dieAfter)
    {
        var world = World([Explosion]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status.Step == 24);
        for (var i = 0; i < 12; i++) world.Tick(dieAfter: i < 6 ? dieAfter : null);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: > 25 });

        Assert.Single(world.Plan!.Firings);
        Assert.Equal(5e-4, world.Plan.Training.HyperParameters.PeakLearningRate, 12);
        Assert.Single(world.Plans, p => p.Plan.Rollback is not null);
    }

    [Fact]
    public void A_relapse_climbs_the_ladder_and_its_end_is_a_pause_that_an_edit_ends()
    {
        var world = World([Explosion]);
        world.Shape = r => r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status.Phase == JobPhase.Paused, limit: 500);

        Assert.Equal([0, 1, 1], world.Plan!.Firings.Select(f => f.Rung));
        Assert.Equal(1e-3 * 0.5 * 0.1, world.Plan.Training.HyperParameters.PeakLearningRate, 12);
        Assert.Equal("True", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Paused).Status);
        Assert.Equal("Exhausted", world.Status.DivergencePolicies.Single().State);
        var epoch = world.Plan.Epoch;
        world.Run(30);
        Assert.Equal((epoch, JobPhase.Paused), (world.Plan.Epoch, world.Status.Phase));
        Assert.All(world.Agents, a => Assert.Equal(AgentState.Completed, a.State));

        world.Shape = r => r;
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { LearningRate = new() { Peak = 1e-5 } } });
        world.RunUntil(w => w.Status.Phase == JobPhase.Running && w.Status.Step > 25);
        Assert.Equal(1e-5, world.Plan!.Training.HyperParameters.PeakLearningRate, 12);   // the user's later word on that field wins
    }

    [Fact]
    public void A_live_change_needs_no_restart_and_reaches_the_trainer()
    {
        var world = World([Clip]);
        world.Shape = r => r with { GradientNorm = r.Step == 12 ? 50 : 0.2 };
        world.RunUntil(w => w.Status.Step == 20);

        Assert.Equal((1L, 1), (world.Plan!.Epoch, world.Plan.Revision));
        Assert.Equal(("0.3", "policy clip", "0.3"), world.Status.HyperParameters.Where(h => h.Name == "gradientClip").Select(h => (h.Value, h.SetBy, h.Reported!)).Single());
    }

    [Fact]
    public void Shadow_records_what_it_would_have_done_and_does_nothing()
    {
        var world = World([Explosion with { Mode = PolicyMode.Shadow }]);
        world.Shape = r => r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status.Step == 40);

        Assert.Equal(1, world.Plan!.Epoch);
        Assert.Equal(1e-3, world.Plan.Training.HyperParameters.PeakLearningRate, 12);
        Assert.Contains(world.Status.Logbook, e => e.Actor == "policy explosion" && e.What.StartsWith("would have", StringComparison.Ordinal));
        Assert.True(world.Status.DivergencePolicies.Single().Firings >= 1);
    }

    [Fact]
    public void Of_two_policies_at_once_the_first_acts_and_the_second_waits()
    {
        var world = World([Explosion, Clip with { When = new() { Loss = new() { Above = 5, ForSteps = 3 } } }]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Step: > 30 });

        Assert.Equal(["explosion"], world.Plan!.Firings.Select(f => f.Policy));
        Assert.Equal(1, world.Plan.Training.HyperParameters.GradientClip);
    }

    [Fact]
    public void A_policy_edited_while_it_cools_down_keeps_its_memory_and_takes_the_new_rule()
    {
        var world = World([Clip with { Cooldown = new() { Steps = 1000 } }]);
        world.Shape = r => r with { GradientNorm = 50 };
        world.RunUntil(w => w.Status.Step == 20);
        Assert.Single(world.Plan!.Firings);
        Assert.Equal("CoolingDown", world.Status.DivergencePolicies.Single().State);

        world.Job = world.Job.Edited(s => s with { DivergencePolicies = [Clip with { Cooldown = new() { Steps = 3 }, Then = [new() { GradientClip = new() { Multiply = 0.5 } }] }] });
        world.RunUntil(w => w.Plan!.Firings.Count == 2);
        world.Run(2);
        Assert.Equal(0.15, world.Plan!.Training.HyperParameters.GradientClip, 12);
    }

    [Fact]
    public void Without_a_target_the_job_pauses_and_says_so_and_initial_weights_must_be_asked_for()
    {
        var world = World([Explosion]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 7 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status.Phase == JobPhase.Paused, limit: 60);
        Assert.Contains("no healthy checkpoint at or before step 6", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Paused).Message, StringComparison.Ordinal);

        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("resume", "r1", "initial-weights")] } };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: > 10 });
        Assert.Equal(("2.0", (CheckpointSummary?)null), (world.Plan!.Run, world.Plan.Resume));
        Assert.Equal("resumed", Assert.Single(world.Status.HandledRequests).Answer);
    }

    [Fact]
    public void One_machine_that_stands_apart_is_replaced_and_no_hyper_parameter_moves()
    {
        var world = World([Explosion], nodes: 3);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = null, Outliers = [new(1, "weights", 1e30, 0.1)] } : r;
        world.RunUntil(w => w.Status is { Epoch: > 1, Phase: JobPhase.Running, Step: > 25 });

        Assert.Equal(1e-3, world.Plan!.Training.HyperParameters.PeakLearningRate, 12);
        Assert.Equal(15, world.Plan.Resume!.Step);
        Assert.Equal(Reasons.DivergenceHardware, world.Plan.Cause.Reason);
        Assert.Equal("node-1", Assert.Single(world.Status.Nodes.Quarantined).Name);
        Assert.True(Assert.Single(world.Plan.Firings).Hardware);
    }

    [Fact]
    public void Trouble_that_comes_back_on_another_machine_with_the_same_ranks_is_the_numbers()
    {
        var world = World([Explosion], nodes: 4);
        world.Shape = r => r.Epoch <= 2 && r.Step >= 23 ? r with { Loss = null, Outliers = [new(1, "weights", 1e30, 0.1)] } : r;
        world.RunUntil(w => w.Status is { Epoch: > 2, Phase: JobPhase.Running, Step: > 25 });

        Assert.Equal("node-1", Assert.Single(world.Status.Nodes.Quarantined).Name);
        Assert.Equal(Reasons.Divergence, world.Plan!.Cause.Reason);
        Assert.True(world.Plan.Training.HyperParameters.PeakLearningRate < 1e-3);
        Assert.Equal([true, false], world.Plan.Firings.Select(f => f.Hardware));
    }

    [Fact]
    public void A_scaled_gradient_that_overflows_in_one_ranks_shard_is_no_machines_fault()
    {
        var world = World([Explosion], nodes: 3);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = null, Skipped = true, LossScale = 16777216, Outliers = [new(1, "gradient", null, null)] } : r;
        world.RunUntil(w => w.Status is { Epoch: > 1, Phase: JobPhase.Running, Step: > 25 });

        Assert.Empty(world.Status.Nodes.Quarantined);
        Assert.Equal(Reasons.Divergence, world.Plan!.Cause.Reason);
    }

    [Fact]
    public void The_data_between_the_checkpoint_and_the_firing_is_never_read_again()
    {
        var world = World([Explosion with { Then = [new() { Rollback = new() { To = RollbackTarget.LastHealthy } }, new() { SkipData = new() { AlsoNext = 2 } }] }]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        Assert.Equal([new SampleRange(15, 27)], world.Plan!.SkipSamples);   // one sample a step here; fired at step 25
    }

    [Fact]
    public void The_data_after_the_checkpoint_are_read_in_another_order_and_what_is_skipped_stays_skipped()
    {
        EquatableList<InterventionSpec> then = [new() { Rollback = new() { To = RollbackTarget.LastHealthy } }, new() { SkipData = new() }, new() { ReshuffleData = new() { Batches = 100 } }];
        var world = World([Explosion with { Then = then }]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running, Step: > 25 });
        var shuffle = Assert.Single(world.Plan!.Shuffles);
        Assert.Equal((new SampleRange(15, 25), 25L, 125L), (Assert.Single(world.Plan.SkipSamples), shuffle.From, shuffle.To));
        world.Agents.First().Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running });
        Assert.Equal([shuffle], world.Plan!.Shuffles);
    }

    [Fact]
    public void An_intervention_gets_its_outcome_once_it_shows()
    {
        var world = World([Explosion]);
        world.Shape = r => r.Step >= 23 && r.Epoch <= 2 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running, Step: > 40 });
        var entries = world.Status.Logbook.Where(e => e.Actor == "policy explosion").ToArray();
        Assert.Equal("fired again at step 25, rung 1", entries[0].Outcome);
        Assert.Equal("trained on to step 31, loss 3, without another firing", entries[1].Outcome);
        Assert.All(world.Status.Logbook.Where(e => e.Actor == "operator"), e => Assert.Null(e.Outcome));
    }

    [Fact]
    public void A_switched_optimizer_returns_after_its_steps_and_a_healed_override_is_released()
    {
        var sgd = Clip with { Name = "sgd", Then = [new() { Optimizer = new() { Type = OptimizerType.Sgd, State = OptimizerState.Drop, Steps = 10 } }, new() { GradientClip = new() { Set = 0.3 } }], ReleaseAfterSteps = 20 };
        var world = World([sgd]);
        world.Shape = r => r with { GradientNorm = r.Step == 12 ? 50 : 0.2 };
        world.RunUntil(w => w.Status.Step == 18);
        Assert.Equal((OptimizerType.Sgd, "policy-sgd-1-12"), (world.Plan!.Training.HyperParameters.Optimizer.Type, world.Plan.Training.HyperParameters.OptimizerReset));
        world.RunUntil(w => w.Status.Step == 26);
        Assert.Equal((OptimizerType.Adamw, 0.3), (world.Plan!.Training.HyperParameters.Optimizer.Type, world.Plan.Training.HyperParameters.GradientClip));
        world.RunUntil(w => w.Status.Step == 36);
        Assert.Equal(1, world.Plan!.Training.HyperParameters.GradientClip);
        Assert.Empty(world.Plan.Overrides);
    }

    [Fact]
    public void Overrides_by_hand_win_over_policies_and_end_when_they_expire_and_re_applying_the_spec_changes_nothing()
    {
        var world = World([Clip]);
        world.Shape = r => r with { GradientNorm = r.Step == 12 ? 50 : 0.2 };
        world.RunUntil(w => w.Status.Step == 15);
        world.Job = world.Job.Edited(s => s with { DivergencePolicies = [.. s.DivergencePolicies] });   // a GitOps tool applies the same again
        world.Run(3);
        Assert.Equal(0.3, world.Plan!.Training.HyperParameters.GradientClip);

        world.Job = world.Job.Edited(s => s with { Overrides = [new() { Field = HyperParameterField.GradientClip, Value = 0.7, Reason = "trying", Expires = world.Now.AddSeconds(10) }] });
        world.Run(5);
        Assert.Equal(("0.7", "user", "0.7"), world.Status.HyperParameters.Where(h => h.Name == "gradientClip").Select(h => (h.Value, h.SetBy, h.Reported!)).Single());
        world.Run(10);
        Assert.Equal(("1", "spec", "1"), world.Status.HyperParameters.Where(h => h.Name == "gradientClip").Select(h => (h.Value, h.SetBy, h.Reported!)).Single());
    }

    [Fact]
    public void Requests_are_answered_once_whoever_asks_again()
    {
        var world = World([]);
        world.RunUntil(w => w.Status.Step == 12);
        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("checkpoint", "a", ""), new("release-override", "b", "gradientClip"), new("nonsense", "c", "")] } };
        world.Run(6);
        Assert.Equal(["checkpoint a", "release-override b", "nonsense c"], world.Status.HandledRequests.Select(h => $"{h.Request} {h.Id}"));
        Assert.All(world.Status.HandledRequests.Skip(1), h => Assert.StartsWith("refused: ", h.Answer, StringComparison.Ordinal));
        Assert.Single(world.Commits, c => c.Step % 5 != 0);

        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("rollback", "d", "10")] } };
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        Assert.Equal(10, world.Plan!.Resume!.Step);
        world.RestartOperator();
        world.Agents.First().Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running });
        Assert.True(world.Plan!.Resume!.Epoch == 2 || world.Plan.Resume.Step <= 10, "what a rollback gave up is never gone back to");

        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("relaunch", "e", "")] } };
        world.RunUntil(w => w.Status is { Epoch: 4, Phase: JobPhase.Running });
        world.Run(20);
        Assert.Equal((4, Reasons.RelaunchRequested), (world.Plan!.Epoch, world.Plan.Cause.Reason));
    }

    [Fact]
    public void A_trainer_that_runs_with_other_values_than_it_was_given_is_held()
    {
        var world = World([]);
        world.Shape = r => r.Step < 10 ? r : r with { HyperParameters = r.HyperParameters with { Optimizer = r.HyperParameters.Optimizer with { Beta1 = 0.5 } } };
        world.RunUntil(w => w.Status.Phase == JobPhase.Paused, limit: 60);
        Assert.Contains("beta1 0.9 -> 0.5", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Paused).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_edit_while_a_rollback_is_under_way_is_part_of_the_next_epoch()
    {
        var world = World([Explosion]);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Plan?.Rollback is not null || w.Status.Epoch == 2 || w.Step == 24);
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { GradientClip = 0.4 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running, Step: > 25 });
        Assert.Equal((0.4, 5e-4), (world.Plan!.Training.HyperParameters.GradientClip, world.Plan.Training.HyperParameters.PeakLearningRate));
    }

    private static SimulatedWorld World(EquatableList<DivergencePolicySpec> policies, int nodes = 2)
    {
        var job = Make.Job(totalSteps: 200);
        return new(job with { Spec = job.Spec with { DivergencePolicies = policies } }, nodes) { HealthyAfter = 5 };
    }
}
