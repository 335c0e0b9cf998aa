using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests.Diagnostics;

/// <summary>What the operator does with tests of nodes: before they join, of suspects, of pairs, and on demand.</summary>
public sealed class DiagnosticsLadderTests
{
    [Fact]
    public void The_first_launch_waits_for_no_tests_and_a_spare_counts_once_it_passed_its_own()
    {
        var world = World(Make.Job(nodes: 2, spares: 1, totalSteps: 1000), nodes: 3);
        world.RunUntil(w => w.Status.Phase is JobPhase.Running);
        Assert.DoesNotContain(world.Done.OfType<StartDiagnostics>(), a => world.Plan!.Members.Any(m => m.PodUid == a.PodUid));
        world.RunUntil(w => w.Status.Nodes.SparesReady == 1, limit: 30);

        var asked = Assert.Single(world.Done.OfType<StartDiagnostics>().Select(a => (a.Pod, a.Request.Set)).Distinct());
        Assert.DoesNotContain(world.Plan!.Members, m => m.Pod == asked.Pod);
        Assert.Equal(DiagnosticsSet.Quick, asked.Set);
        Assert.Equal("passed", Assert.Single(world.Status.NodeTests).State);
    }

    [Fact]
    public void With_firstLaunch_all_nodes_are_tested_before_the_first_plan_and_a_faulty_one_never_trains()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 40).With(p => p with { Diagnostics = new() { FirstLaunch = true } }), nodes: 3, badHardware: "node-0");
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded);
        Assert.NotNull(world.Nodes[0].Quarantine);
        Assert.DoesNotContain(world.Plans, p => p.Plan.Members.Any(m => m.Node == "node-0"));
        Assert.Equal(1, world.Status.Epoch);
    }

    [Fact]
    public void A_faulty_spare_is_put_aside_while_the_others_train_on()
    {
        var world = World(Make.Job(nodes: 2, spares: 1, totalSteps: 200), nodes: 4, badHardware: "node-2");
        world.RunUntil(w => w.Status.Nodes.SparesReady == 1);
        Assert.NotNull(world.Nodes[2].Quarantine);
        Assert.DoesNotContain(world.Pods, p => p.Node?.Name == "node-2");
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded);
        Assert.Equal(1, world.Status.Epoch);
    }

    [Fact]
    public void A_replacement_is_tested_before_it_joins_and_the_next_node_is_taken_when_it_fails()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 200), nodes: 4, badHardware: "node-2");
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        (world.Nodes[1].Alive, world.Nodes[1].DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: > 1 });
        Assert.Equal("node-3", world.Plan!.Members[1].Node);
        Assert.NotNull(world.Nodes[2].Quarantine);
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void Trainers_that_cannot_test_and_a_policy_that_forbids_it_leave_everything_as_it_was(bool canTest, bool enabled)
    {
        var world = World(Make.Job(nodes: 2, spares: 1, totalSteps: 100).With(p => p with { Diagnostics = new() { Enabled = enabled } }), nodes: 4, canTest: canTest, badHardware: "node-2");
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        (world.Nodes[1].Alive, world.Nodes[1].DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded);
        Assert.Empty(world.Done.OfType<StartDiagnostics>());
        Assert.Contains(world.Plan!.Members, m => m.Node == "node-2");
    }

    [Fact]
    public void A_node_that_is_named_for_the_second_time_is_tested_behind_the_fence_and_goes_when_it_is_faulty()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 300), nodes: 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        Fail(world, 1);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 2, Step: >= 20 });
        Assert.Empty(world.Done.OfType<StartDiagnostics>());   // one failure is no reason to keep everybody waiting
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).TestFault = "cell 7 holds something else";
        Fail(world, 1);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 3 });

        Assert.NotNull(world.Nodes[1].Quarantine);
        Assert.NotEqual("node-1", world.Plan!.Members[1].Node);
        Assert.Contains("faulty: node-1", world.Plan.Cause.Message, StringComparison.Ordinal);
    }

    /// <summary>The agent that fenced shows the new epoch and the old failure until it has the plan; tests in between make that seconds.</summary>
    [Fact]
    public void A_failure_that_ended_one_epoch_is_not_held_against_the_next()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 300), nodes: 3);
        for (var epoch = 1; epoch <= 3; epoch++)
        {
            var now = epoch;
            world.RunUntil(w => w.Status.Phase is JobPhase.Running && w.Status.Epoch == now && w.Status.Step > 10 * now);
            Fail(world, 0);   // the first candidate is also the one that fences
        }

        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded);
        Assert.Equal(4, world.Status.Epoch);
    }

    [Fact]
    public void Suspects_that_pass_stay_and_the_launch_says_that_they_were_tested()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 300), nodes: 3);
        for (var epoch = 1; epoch <= 2; epoch++)
        {
            var now = epoch;
            world.RunUntil(w => w.Status.Phase is JobPhase.Running && w.Status.Epoch == now && w.Status.Step > 10 * now);
            Fail(world, 1);
        }

        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 3 });
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        Assert.Contains("diagnostics: 1 nodes passed; no fault found", world.Plan!.Cause.Message, StringComparison.Ordinal);
        Assert.True(world.Status.Goodput.Single(a => a.Account == Accounts.Diagnose).Seconds >= 3);
    }

    [Fact]
    public void When_ranks_disagree_the_node_whose_training_step_ends_in_other_bits_is_put_aside()
    {
        var world = World(Make.Job(nodes: 3, totalSteps: 300), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        foreach (var agent in world.Agents) agent.Bits = agent.PodUid == world.Plan!.Members[2].PodUid ? "other" : "usual";
        Fail(world, 0, WorkerExit.ControlDiverged);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 2 });
        Assert.Equal("node-2", Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
    }

    [Fact]
    public void When_nobody_stands_out_twice_pairs_are_tested_and_the_node_that_two_tests_agree_on_goes()
    {
        var world = World(Make.Job(nodes: 5, totalSteps: 600), nodes: 6);
        world.BadNetwork.Add("node-3");
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        HangAll(world);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 2, Step: >= 20 });
        Assert.Empty(world.Done.OfType<StartDiagnostics>());
        HangAll(world);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 3 });

        Assert.Equal("node-3", Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
        Assert.Contains("pair tests", world.Plan!.Cause.Message, StringComparison.Ordinal);
        Assert.Contains(world.Done.OfType<StartDiagnostics>(), a => a.Request is { Set: DiagnosticsSet.Network, EndWorkersBelow: 3 });
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded, limit: 3000);
    }

    [Fact]
    public void An_operator_that_dies_at_any_point_of_a_bisection_still_finds_the_node()
    {
        for (var death = 1; death <= 24; death++)
        {
            var world = World(Make.Job(nodes: 4, totalSteps: 600), nodes: 5);
            world.BadNetwork.Add("node-2");
            world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
            world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("diagnose", "d1", "pairs")] } };
            for (var second = 0; second < 24; second++) world.Tick(dieAfter: second == death ? 1 : null);
            world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: >= 2 });
            world.Run(30);
            Assert.Equal("node-2", Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
        }
    }

    [Theory]
    [InlineData("", DiagnosticsSet.Full)]
    [InlineData("quick", DiagnosticsSet.Quick)]
    public void A_request_saves_tests_all_nodes_relaunches_and_is_answered_with_what_was_found(string argument, DiagnosticsSet set)
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 300).With(p => p with { Diagnostics = new() { Enabled = false } }), nodes: 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("diagnose", "d1", argument)] } };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 2 });
        Assert.Equal(2, world.Done.OfType<StartDiagnostics>().Where(a => a.Request.Set == set).Select(a => a.PodUid).Distinct().Count());
        Assert.Equal("diagnostics: 2 nodes passed; no fault found", Assert.Single(world.Status.HandledRequests).Answer);
        world.Run(100);
        Assert.Equal(2, world.Status.Epoch);   // answered once

        world.Agents.First(a => a.PodUid == world.Plan!.Members[0].PodUid).TestFault = "wrong digest";
        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("diagnose", "d2", argument)] } };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 3 });
        Assert.NotNull(world.Nodes[0].Quarantine);
        Assert.Contains("faulty: node-0", world.Status.HandledRequests[^1].Answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_with_an_unknown_set_is_refused_and_disturbs_nothing()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 300), nodes: 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("diagnose", "d1", "everything")] } };
        world.Run(20);
        Assert.Equal("refused: \"everything\" is not quick, full or pairs", Assert.Single(world.Status.HandledRequests).Answer);
        Assert.Equal(1, world.Status.Epoch);
    }

    [Fact]
    public void An_agent_that_never_answers_a_test_holds_the_launch_up_only_until_the_deadline()
    {
        var world = World(Make.Job(nodes: 2, totalSteps: 300).With(p => p with { Diagnostics = new() { Deadline = TimeSpan.FromSeconds(10) } }), nodes: 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        foreach (var agent in world.Agents) agent.Tests.Add((new() { Id = "by-hand", State = DiagnosticsState.Incomplete }, DateTimeOffset.MaxValue));   // busy for ever: refuses
        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("diagnose", "d1", "quick")] } };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 2 }, limit: 300);
    }

    private static SimulatedWorld World(OptTrainingJob job, int nodes, bool canTest = true, string? badHardware = null)
    {
        var world = new SimulatedWorld(job, nodes) { CanTest = canTest };
        if (badHardware is not null) world.BadHardware.Add(badHardware);
        return world;
    }

    private static void Fail(SimulatedWorld world, int member, WorkerExit exit = WorkerExit.Internal) =>
        world.Agents.First(a => a.PodUid == world.Plan!.Members[member].PodUid).Fail(exit, world.Now);

    private static void HangAll(SimulatedWorld world)
    {
        foreach (var agent in world.Agents) agent.Stopped = true;
    }
}

internal static class PolicyEdits
{
    public static OptTrainingJob With(this OptTrainingJob job, Func<FailurePolicySpec, FailurePolicySpec> edit) => job with { Spec = job.Spec with { FailurePolicy = edit(job.Spec.FailurePolicy) } };
}
