using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>What users of other operators complain about, one test each where no other test shows it; the table is in docs/failures.md.</summary>
public sealed class ComplaintTests
{
    [Fact]
    public void A_deleted_pod_relaunches_the_whole_gang_at_once_and_charges_no_budget()
    {
        var world = Running(nodes: 3, spares: 0);
        var kept = world.Pods.Where(p => p.Ordinal != 1).Select(p => p.Uid).ToArray();
        world.Pods.Single(p => p.Ordinal == 1).Terminating = true;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        Assert.Equal(Reasons.PodLost, world.Plan!.Cause.Reason);
        Assert.Empty(world.Plan.Budgets);
        Assert.Equal(kept, world.Pods.Where(p => p.Ordinal != 1).Select(p => p.Uid));
    }

    [Fact]
    public void A_rank_out_of_memory_does_not_leave_the_others_hanging()
    {
        var world = Running(nodes: 3, spares: 0);
        var since = world.Now;
        world.Agents.First(a => a.PodUid == world.Plan!.Members[2].PodUid).Fail(WorkerExit.OutOfMemory, world.Now, "CUDA out of memory");
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        Assert.Equal(Reasons.OutOfMemory, world.Plan!.Cause.Reason);
        Assert.True(world.Plan.CreatedAt - since < TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void The_first_exit_that_is_not_a_lost_peer_is_the_cause_however_many_ranks_report_one()
    {
        var world = Running(nodes: 4, spares: 0);
        var members = world.Plan!.Members;
        foreach (var other in members.Where((_, i) => i != 2)) world.Agents.First(a => a.PodUid == other.PodUid).Fail(WorkerExit.PeerLost, world.Now);
        world.Agents.First(a => a.PodUid == members[2].PodUid).Fail(WorkerExit.Device, world.Now, "uncorrectable ECC error");
        world.RunUntil(w => w.Status.Epoch == 2, limit: 120);
        Assert.Equal((Reasons.DeviceFailed, members[2].Node), (world.Plan.Cause.Reason, world.Plan.Cause.Node));
        Assert.Equal(2, world.Status.Epoch);
    }

    [Fact]
    public void A_hang_that_was_dealt_with_is_never_called_again()
    {
        var world = Running(nodes: 3, spares: 0);
        var agent = world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid);
        agent.Stopped = true;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);
        world.Run(3600);
        Assert.Equal((2, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void A_spare_that_dies_while_it_takes_over_costs_no_more_than_another_relaunch()
    {
        var world = Running(nodes: 3, spares: 1);
        Kill(world, world.Plan!.Members[1].Node);
        var spare = world.Pods.Single(p => p.Ordinal == 3).Node!.Name;
        world.RunUntil(w => w.Nodes.Any(n => n.Quarantine is not null), limit: 120);
        Kill(world, spare);
        world.RunUntil(w => w.Status.Phase is JobPhase.Running && w.Plan!.Members.All(m => w.Nodes.Single(n => n.Name == m.Node).Alive), limit: 400);
        Assert.InRange(world.Status.Epoch, 2, 3);
    }

    [Fact]
    public void When_the_breaker_closes_again_old_evidence_puts_no_node_aside()
    {
        var world = Running(nodes: 2, spares: 0, room: 0);
        var node = world.Plan!.Members[1].Node;
        world.Agents.First(a => a.PodUid == world.Plan.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        world.QuarantineRoom = 5;
        world.Run(600);
        Assert.Null(world.Nodes.Single(n => n.Name == node).Quarantine);
        Assert.Equal(2, world.Status.Epoch);
    }

    [Fact]
    public void A_finished_job_stays_finished_when_its_objects_are_removed()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 20), nodes: 2);
        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
        world.RestartOperator();
        world.Run(300);
        Assert.Equal((JobPhase.Succeeded, 1), (world.Status.Phase, world.Status.Epoch));
        Assert.Empty(world.Pods);
    }

    /// <summary>jobset#576, #928: pods that linger hold the restart up.</summary>
    [Fact]
    public void A_pod_that_lingers_is_not_waited_for_where_a_spare_can_take_its_place()
    {
        var world = Running(nodes: 3, spares: 1);
        var pod = world.Pods.Single(p => p.Uid == world.Plan!.Members[1].PodUid);
        (pod.Unending, pod.Terminating) = (true, true);
        world.Unreachable.Add(pod.Uid);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 30);
        Assert.DoesNotContain(pod.Uid, world.Plan!.Members.Select(m => m.PodUid));
        Assert.Contains(pod, world.Pods);
    }

    /// <summary>pytorch#118891, #123678, #147064: the rendezvous goes down with the machine that keeps it, or remembers the run before.</summary>
    [Fact]
    public void The_machine_of_rank_0_may_die_like_any_other_and_each_epoch_meets_at_a_port_of_its_own()
    {
        var world = Running(nodes: 3, spares: 1);
        var before = world.Plan!;
        Kill(world, before.Members[0].Node);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);
        Assert.NotEqual(before.Members[0].PodUid, world.Plan!.Members[0].PodUid);
        Assert.NotEqual(before.RendezvousPort, world.Plan.RendezvousPort);
        Assert.Equal(1, world.Status.Restarts.Total);
    }

    [Theory]
    [InlineData("PreemptionByScheduler", false)]
    [InlineData("EvictionByEvictionAPI", false)]
    [InlineData("DeletionByTaintManager", false)]
    [InlineData("DeletionByPodGC", false)]
    [InlineData("TerminationByKubelet", true)]
    [InlineData(null, true)]
    public void A_pod_that_was_preempted_or_evicted_by_somebody_is_replaced_and_its_node_not_blamed(string? disruption, bool blamed)
    {
        var world = Running(nodes: 3, spares: 0);
        var member = world.Plan!.Members[1];
        var pod = world.Pods.Single(p => p.Uid == member.PodUid);
        (pod.Failed, pod.Disruption) = (true, disruption);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);
        Assert.Equal(Reasons.PodFailed, world.Plan.Cause.Reason);
        Assert.Equal(blamed, world.Nodes.Single(n => n.Name == member.Node).Quarantine is not null);
        Assert.Equal(blamed ? 1 : 0, world.Plan.Budgets.Count);
    }

    private static SimulatedWorld Running(int nodes, int spares, int room = int.MaxValue)
    {
        var world = new SimulatedWorld(Make.Job(nodes, spares, totalSteps: 20000), nodes + spares + 2) { QuarantineRoom = room };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }

    private static void Kill(SimulatedWorld world, string name)
    {
        var node = world.Nodes.Single(n => n.Name == name);
        (node.Alive, node.DeadSince) = (false, world.Now);
    }
}
