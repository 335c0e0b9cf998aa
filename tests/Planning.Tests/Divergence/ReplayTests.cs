using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests.Divergence;

/// <summary>Numbers or hardware: a policy that has the same data run again before it acts.</summary>
public sealed class ReplayTests
{
    private static readonly DivergencePolicySpec Explosion = new()
    {
        Name = "explosion",
        When = new() { Loss = new() { Above = 5, ForSteps = 3 } },
        Then = [new() { Rollback = new() { To = RollbackTarget.LastHealthy } }, new() { LearningRate = new() { Multiply = 0.5 } }],
        Cooldown = new() { Steps = 5 },
        Replay = new() { Limit = 1, Slack = 3 },
    };

    [Fact]
    public void Trouble_that_comes_back_on_the_same_data_is_the_numbers_and_the_policy_acts()
    {
        var world = World(Explosion);
        world.Shape = r => r.Epoch <= 2 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        Assert.Equal((15L, 1e-3, Reasons.DivergenceReplay), (world.Plan!.Resume!.Step, world.Plan.Training.HyperParameters.PeakLearningRate, world.Plan.Cause.Reason));
        Assert.Empty(world.Plan.SkipSamples);

        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running, Step: > 30 });
        Assert.Equal((5e-4, (ReplayOrder?)null), (world.Plan!.Training.HyperParameters.PeakLearningRate, world.Plan.Replay));
        Assert.Equal([(true, 0), (false, 0)], world.Plan.Firings.Select(f => (f.Replay, f.Rung)));
        Assert.Contains(world.Status.Logbook, e => e.What.Contains("it came back when the same data were run again", StringComparison.Ordinal));
        Assert.Empty(world.Plan.Budgets);
    }

    [Fact]
    public void Trouble_that_does_not_come_back_is_a_machines_and_no_hyper_parameter_moves()
    {
        var world = World(Explosion);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Step: > 40 });

        Assert.Equal((2L, 1e-3, (ReplayOrder?)null), (world.Plan!.Epoch, world.Plan.Training.HyperParameters.PeakLearningRate, world.Plan.Replay));
        Assert.Equal([Budgets.RelaunchInPlace], world.Plan.Budgets.Select(b => b.Budget));
        Assert.Equal([(true, false), (false, true)], world.Plan.Firings.Select(f => (f.Replay, f.Hardware)));
        Assert.Contains(world.Status.Logbook, e => e.What.StartsWith("hardware: what fired at step 25 did not come back", StringComparison.Ordinal) && e.Step == 29);
        Assert.Empty(world.Plan.Overrides);
    }

    [Fact]
    public void Where_machines_can_be_tested_the_bad_one_is_found_and_replaced_after_the_verdict()
    {
        var world = World(Explosion, nodes: 3, canTest: true);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Step: 20 });
        world.Agents.ElementAt(1).TestFault = "wrong digest";
        world.RunUntil(w => w.Status is { Epoch: > 2, Phase: JobPhase.Running, Step: > 35 });
        Assert.Equal("node-1", Assert.Single(world.Status.Nodes.Quarantined).Name);
        Assert.Equal((1e-3, true), (world.Plan!.Training.HyperParameters.PeakLearningRate, world.Plan.Resume!.Step >= 28));
    }

    [Fact]
    public void Replays_have_a_budget_of_their_own_after_which_the_policy_acts_at_once()
    {
        var world = World(Explosion);
        world.Shape = r => (r.Epoch == 1 && r.Step >= 23) || (r.Epoch == 2 && r.Step >= 50) ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running, Step: > 55 });
        Assert.Equal((5e-4, 0), (world.Plan!.Training.HyperParameters.PeakLearningRate, world.Plan.Firings[^1].Rung));
    }

    [Fact]
    public void A_worker_that_dies_during_the_replay_does_not_end_it()
    {
        var world = World(Explosion);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Step: 21 });
        world.Agents.First().Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 3, Step: 26 });
        Assert.NotNull(world.Plan!.Replay);
        world.RunUntil(w => w.Status is { Epoch: 3, Step: > 32 });
        Assert.Null(world.Plan!.Replay);
        Assert.Single(world.Plan.Firings, f => f.Hardware);
    }

    [Fact]
    public void Values_changed_by_hand_during_the_replay_leave_nothing_to_conclude()
    {
        var world = World(Explosion);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Step: 18 });
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { GradientClip = 0.5 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Step: > 35 });
        Assert.Null(world.Plan!.Replay);
        Assert.DoesNotContain(world.Plan.Firings, f => f.Hardware);
        Assert.Contains(world.Status.Logbook, e => e.What.StartsWith("the replay says nothing", StringComparison.Ordinal));
    }

    [Fact]
    public void When_the_failure_ladder_has_no_rung_left_for_it_people_are_asked_which_machine_it_is()
    {
        var world = World(Explosion, spec => spec with { FailurePolicy = spec.FailurePolicy with { RelaunchInPlace = spec.FailurePolicy.RelaunchInPlace with { Limit = 0 } } });
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status.Phase == JobPhase.Paused);
        Assert.Contains("test the machines (node-0, node-1)", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Paused).Message, StringComparison.Ordinal);
        Assert.Equal(1e-3, world.Plan!.Training.HyperParameters.PeakLearningRate);
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(2)]
    public void An_operator_that_dies_around_the_verdict_gives_it_once(int dieAfter)
    {
        var world = World(Explosion);
        world.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = 9 } : r;
        world.RunUntil(w => w.Status is { Epoch: 2, Step: 27 });
        for (var i = 0; i < 6; i++) world.Tick(dieAfter);
        world.RunUntil(w => w.Status is { Epoch: 2, Step: > 40 });
        Assert.Single(world.Plan!.Firings, f => f.Hardware);
        Assert.Single(world.Plan.Budgets);
    }

    private static SimulatedWorld World(DivergencePolicySpec policy, Func<OptTrainingJobSpec, OptTrainingJobSpec>? also = null, int nodes = 2, bool canTest = false)
    {
        var job = Make.Job(totalSteps: 200);
        var spec = job.Spec with { DivergencePolicies = [policy] };
        return new(job with { Spec = also?.Invoke(spec) ?? spec }, nodes) { HealthyAfter = 5, CanTest = canTest };
    }
}
