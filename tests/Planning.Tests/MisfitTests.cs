using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Exit codes that mean a user's mistake, from machines of a run that has trained.</summary>
public sealed class MisfitTests
{
    [Theory]
    [InlineData(WorkerExit.Data, Reasons.Data)]
    [InlineData(WorkerExit.TorchUnavailable, Reasons.TorchUnavailable)]
    [InlineData(WorkerExit.Configuration, Reasons.Configuration)]
    public void A_machine_that_alone_cannot_run_what_has_trained_before_is_relaunched_once_and_then_replaced(WorkerExit exit, string reason)
    {
        var world = Trained();
        var bad = world.Plan!.Members[1];
        Fail(world, 1, exit);
        world.RunUntil(w => w.Plan!.Epoch == 2, limit: 60);
        Assert.Equal((reason, bad.Node, bad.PodUid), (world.Plan.Cause.Reason, world.Plan.Cause.Node, world.Plan.Members[1].PodUid));
        Assert.Contains("no other machine says so", world.Plan.Cause.Message, StringComparison.Ordinal);

        world.RunUntil(w => w.Agents.Any(a => a.PodUid == bad.PodUid && a.State is AgentState.Launching), limit: 60);
        Fail(world, 1, exit);   // before its first step: the epochs before are what proves the spec
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running }, limit: 300);
        Assert.Equal(bad.Node, Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
        Assert.NotEqual(bad.Node, world.Plan.Members[1].Node);
    }

    [Fact]
    public void When_a_second_machine_says_the_same_it_is_the_users_mistake_after_all()
    {
        var world = Trained();
        Fail(world, 1, WorkerExit.Data);
        world.RunUntil(w => w.Plan!.Epoch == 2 && w.Agents.Any(a => a.PodUid == w.Plan.Members[2].PodUid && a.State is AgentState.Launching), limit: 60);
        Fail(world, 2, WorkerExit.Data);
        world.RunUntil(w => w.Status.Phase is JobPhase.Failed, limit: 30);
        Assert.Equal(Reasons.Data, world.Status.Conditions.Single(c => c.Type == ConditionTypes.Failed).Reason);
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
    }

    [Fact]
    public void When_two_machines_say_so_at_once_the_job_stops_at_once()
    {
        var world = Trained();
        Fail(world, 1, WorkerExit.Data);
        Fail(world, 2, WorkerExit.Data);
        world.RunUntil(w => w.Status.Phase is JobPhase.Failed, limit: 3);
    }

    [Fact]
    public void An_edit_has_not_trained_before_so_its_mistake_stops_the_job_at_once()
    {
        var world = Trained();
        world.Job = world.Job.Edited(s => s with { Data = new() { Train = [new() { Path = "elsewhere" }] } });
        world.RunUntil(w => w.Plan!.Epoch == 2 && w.Agents.Any(a => a.PodUid == w.Plan.Members[1].PodUid && a.State is AgentState.Launching), limit: 120);
        Fail(world, 1, WorkerExit.Data);
        world.RunUntil(w => w.Status.Phase is JobPhase.Failed, limit: 3);
    }

    private static void Fail(SimulatedWorld world, int member, WorkerExit exit) => world.Agents.First(a => a.PodUid == world.Plan!.Members[member].PodUid).Fail(exit, world.Now, "no such file");

    private static SimulatedWorld Trained()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }
}
