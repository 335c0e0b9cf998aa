using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Shadow mode of the rungs that have nothing cheaper below them.</summary>
public sealed class ShadowTests
{
    [Fact]
    public void Where_relaunches_are_in_Shadow_mode_a_dead_run_is_told_once_and_left_until_a_person_asks()
    {
        var world = Running(p => p with { RelaunchInPlace = new() { Limit = 3, Window = TimeSpan.FromMinutes(30), Mode = PolicyMode.Shadow } });
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
        world.Run(900);
        Assert.Equal(1, world.Plan!.Epoch);
        Assert.Single(world.Status.Logbook, e => e.What == "would have relaunched epoch 1 in place");
        Assert.Equal(("False", Reasons.WorkerFailed), RunningIs(world));

        world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new("relaunch", "a", "")] } };
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 120);
        Assert.Equal(Reasons.RelaunchRequested, world.Plan.Cause.Reason);
    }

    [Fact]
    public void Where_relaunches_are_in_Shadow_mode_a_hang_that_dissolves_costs_nothing()
    {
        var world = Running(p => p with { RelaunchInPlace = new() { Limit = 3, Window = TimeSpan.FromMinutes(30), Mode = PolicyMode.Shadow } });
        var slow = world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid);
        slow.Stopped = true;
        world.RunUntil(w => w.Status.Logbook.Any(e => e.What.StartsWith("would have relaunched", StringComparison.Ordinal)), limit: 300);
        Assert.Equal(("False", Reasons.Hang), RunningIs(world));
        slow.Stopped = false;
        world.RunUntil(w => w.Status.Phase is JobPhase.Running, limit: 30);
        world.Run(60);
        Assert.Equal((1L, JobPhase.Running, 0), (world.Status.Epoch, world.Status.Phase, world.Status.Restarts.Total));
    }

    [Fact]
    public void Where_relaunches_are_in_Shadow_mode_a_rung_above_that_is_enforced_still_acts()
    {
        var world = Running(p => p with { RelaunchInPlace = new() { Limit = 3, Window = TimeSpan.FromMinutes(30), Mode = PolicyMode.Shadow } });
        var bad = world.Plan!.Members[1];
        world.Agents.First(a => a.PodUid == bad.PodUid).Fail(WorkerExit.Device, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 120);
        Assert.Equal(bad.Node, Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
    }

    [Fact]
    public void A_smaller_run_in_Shadow_mode_is_told_once_and_all_machines_are_waited_for()
    {
        var world = Running(p => p with { Shrink = new() { Mode = PolicyMode.Shadow }, ProvisionDeadline = TimeSpan.FromHours(2) }, nodes: 3, machines: 3, minNodes: 2);
        var dead = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.Run(1200);
        Assert.Equal(1, world.Plan!.Epoch);
        Assert.Single(world.Status.Logbook, e => e.What == "would have gone on with 2 of 3 machines");
        (dead.Alive, dead.Quarantine) = (true, null);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 120);
        Assert.Equal(3, world.Plan.Members.Count);
    }

    private static (string, string) RunningIs(SimulatedWorld world) => world.Status.Conditions.Where(c => c.Type == ConditionTypes.Running).Select(c => (c.Status, c.Reason)).Single();

    private static SimulatedWorld Running(Func<FailurePolicySpec, FailurePolicySpec> policy, int nodes = 2, int machines = 4, int? minNodes = null)
    {
        var job = Make.Job(nodes, totalSteps: 20000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = policy(job.Spec.FailurePolicy), Topology = job.Spec.Topology with { MinNodes = minNodes } } }, machines);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }
}
