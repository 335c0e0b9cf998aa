using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Machines that hold the others up, and runs that become slow as a whole.</summary>
public sealed class PaceTests
{
    [Fact]
    public void A_straggler_is_only_told_by_default()
    {
        var world = Running(spares: 1, p => p);
        var node = Slow(world, 1.5);
        world.Run(400);
        world.RestartOperator();
        world.Run(100);
        Assert.Equal((1, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
        Assert.Equal(("False", "Straggler"), (Pace(world).Status, Pace(world).Reason));
        Assert.Contains(node.Name, Pace(world).Message, StringComparison.Ordinal);
        Assert.Equal(1, world.Status.Logbook.Count(e => e.What == $"would have quarantined the straggling node {node.Name} and replaced its pod"));
    }

    [Fact]
    public void A_straggler_is_replaced_by_a_spare_after_a_save_when_the_rung_is_enforced()
    {
        var world = Running(spares: 1, p => p with { Straggler = new() { Mode = PolicyMode.Enforce } });
        var node = Slow(world, 1.5);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 200);

        Assert.NotNull(node.Quarantine);
        Assert.Equal(Reasons.Straggler, world.Plan!.Cause.Reason);
        Assert.DoesNotContain(world.Plan.Members, m => m.Node == node.Name);
        Assert.Equal([Budgets.Straggler], world.Plan.Budgets.Select(u => u.Budget));
        Assert.Equal(0, world.Status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);
        world.Run(300);
        Assert.Equal((2, "True"), (world.Status.Epoch, Pace(world).Status));
    }

    [Fact]
    public void A_straggler_stays_while_there_is_no_spare()
    {
        var world = Running(spares: 0, p => p with { Straggler = new() { Mode = PolicyMode.Enforce } });
        Slow(world, 3);
        world.Run(400);
        Assert.Equal((1, "Straggler"), (world.Status.Epoch, Pace(world).Reason));
    }

    [Fact]
    public void Whoever_happens_to_be_last_in_turn_is_no_straggler()
    {
        var world = Running(spares: 1, p => p with { Straggler = new() { Mode = PolicyMode.Enforce } });
        world.Shape = r => r with { Slowest = new((int)(r.Attempt % 3), 5, 1) };
        world.Run(300);
        Assert.Equal((1, "True"), (world.Status.Epoch, Pace(world).Status));
    }

    [Theory]
    [InlineData(PolicyMode.Shadow, 1)]
    [InlineData(PolicyMode.Enforce, 2)]
    public void A_run_that_becomes_slow_as_a_whole_is_told_or_relaunched(PolicyMode mode, long epoch)
    {
        var world = Running(spares: 1, p => p with { Slowdown = new() { Mode = mode } });
        world.Run(120);   // the launch it is compared with
        world.Shape = r => r.Epoch > 1 ? r : r with { Seconds = 2 };
        world.RunUntil(w => Pace(w).Status == "False", limit: 200);
        Assert.Equal("Slow", Pace(world).Reason);
        world.Run(30);
        Assert.Equal((epoch, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        if (mode is PolicyMode.Shadow) Assert.Equal(1, world.Status.Logbook.Count(e => e.What == "would have relaunched the slow run"));
        else Assert.Equal(Reasons.Slow, world.Plan!.Cause.Reason);
    }

    [Fact]
    public void A_relaunch_that_did_not_help_is_repeated_only_within_its_budget()
    {
        var world = Running(spares: 0, p => p with { Slowdown = new() { Mode = PolicyMode.Enforce } });
        world.Run(120);
        world.Shape = r => r with { Seconds = 2 };
        world.Run(1500);
        Assert.Equal((3, "Slow"), (world.Status.Epoch, Pace(world).Reason));
    }

    [Fact]
    public void Checkpoint_stalls_are_no_slowness()
    {
        var world = Running(spares: 0, p => p with { Slowdown = new() { Mode = PolicyMode.Enforce } });
        world.Run(120);
        world.Shape = r => r with { Seconds = 2, Timing = new() { CheckpointStall = 1 } };
        world.Run(300);
        Assert.Equal((1, "True"), (world.Status.Epoch, Pace(world).Status));
    }

    private static SimulatedNode Slow(SimulatedWorld world, double factor)
    {
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        node.Slow = factor;
        return node;
    }

    private static SimulatedWorld Running(int spares, Func<FailurePolicySpec, FailurePolicySpec> policy)
    {
        var job = Make.Job(nodes: 3, spares: spares, totalSteps: 20000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = policy(job.Spec.FailurePolicy) } }, nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }

    private static Condition Pace(SimulatedWorld world) => world.Status.Conditions.Single(c => c.Type == ConditionTypes.PaceNormal);
}
