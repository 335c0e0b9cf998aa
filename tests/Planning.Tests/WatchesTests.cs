using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Each deadline stands in the status while it runs, and what it announces happens then.</summary>
public sealed class WatchesTests
{
    [Fact]
    public void Nothing_is_waited_for_while_steps_advance()
    {
        var world = Running();
        for (var i = 0; i < 60; i++)
        {
            world.Tick();
            Assert.Empty(world.Status.Watches);
        }
    }

    [Fact]
    public void A_hang_is_announced_with_the_time_at_which_it_is_called_and_is_called_then()
    {
        var world = Running();
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Stopped = true;
        world.Run(30);
        var watch = Assert.Single(world.Status.Watches);
        Assert.Equal(("hang", TimeSpan.FromMinutes(2)), (watch.What, watch.Until!.Value - watch.Since));
        world.RunUntil(w => w.Plan is { Epoch: 2, Cause.Reason: Reasons.Hang }, limit: 200);
        Assert.InRange(world.Plan!.CreatedAt - watch.Until.Value, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void A_launch_is_announced_with_its_deadline()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Status.Phase is JobPhase.Launching && w.Status.Watches.Count > 0);
        var watch = Assert.Single(world.Status.Watches);
        Assert.Equal(("launch", TimeSpan.FromMinutes(15)), (watch.What, watch.Until - watch.Since));
    }

    [Fact]
    public void A_silent_agent_is_named_and_has_no_deadline_while_steps_advance()
    {
        var world = Running();
        var member = world.Plan!.Members[1];
        world.Unreachable.Add(member.PodUid);
        world.Run(30);
        var watch = Assert.Single(world.Status.Watches);
        Assert.Equal(("agentSilence", member.Node, member.Pod, null), (watch.What, watch.Node, watch.Pod, watch.Until));
        world.Run(600);
        Assert.Equal((1L, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void A_member_whose_machine_dies_is_announced_before_its_node_is_put_aside()
    {
        var world = Running();
        var dead = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.Run(30);   // NotReady after 40 s
        Assert.Contains(world.Status.Watches, w => w is { What: "agentSilence", Until: not null } && w.Node == dead.Name);
        Assert.Contains(world.Status.Watches, w => w.What == "hang");
        world.RunUntil(w => dead.Quarantine is not null, limit: 120);
        Assert.Equal(dead.Quarantine!.Until, world.Status.Nodes.Quarantined[0].Until);
    }

    [Fact]
    public void A_dead_spare_is_announced_with_the_time_at_which_it_is_replaced()
    {
        var world = Running(spares: 1);
        var spare = world.Pods.Single(p => world.Plan!.Members.All(m => m.PodUid != p.Uid)).Node!;
        (spare.Alive, spare.DeadSince) = (false, world.Now);
        world.Run(60);
        var watch = Assert.Single(world.Status.Watches);
        Assert.Equal(("nodeNotReady", spare.Name), (watch.What, watch.Node));
        world.RunUntil(_ => spare.Quarantine is not null, limit: 300);
        Assert.InRange(world.Now - watch.Until!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }

    [Fact]
    public void A_job_that_lacks_machines_says_when_it_releases_those_it_has()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3), nodes: 2);
        world.Run(60);
        var watch = Assert.Single(world.Status.Watches, w => w.What == "provision");
        world.RunUntil(w => w.Status.Logbook.Any(e => e.What == "released all pods"), limit: 2400);
        Assert.InRange(world.Now - watch.Until!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }

    [Fact]
    public void A_cordoned_member_says_until_when_a_spare_is_waited_for()
    {
        var world = Running();
        world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node).Cordon();
        world.Run(30);
        var watch = Assert.Single(world.Status.Watches);
        Assert.Equal(("waitForSpare", TimeSpan.FromMinutes(10)), (watch.What, watch.Until!.Value - watch.Since));
        world.RunUntil(w => w.Plan!.Epoch == 2, limit: 1200);
        Assert.True(world.Now >= watch.Until);
    }

    [Fact]
    public void A_pod_that_does_not_end_is_named_with_the_time_at_which_it_is_removed()
    {
        var world = Running();
        var pod = world.Pods.Single(p => p.Uid == world.Plan!.Members[1].PodUid);
        (pod.Unending, pod.Terminating) = (true, true);
        world.Unreachable.Add(pod.Uid);
        world.Run(60);
        var watch = Assert.Single(world.Status.Watches, w => w.What == "termination");
        world.RunUntil(w => w.Done.OfType<DeletePod>().Any(d => d.Now), limit: 900);
        Assert.InRange(world.Now - watch.Until!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    private static SimulatedWorld Running(int spares = 0)
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, spares, totalSteps: 20000), nodes: 3 + (2 * spares) + 1);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 } && w.Status.Nodes.SparesReady == spares);
        return world;
    }
}
