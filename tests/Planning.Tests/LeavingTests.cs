using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Nodes that somebody takes out of service: cordoned, drained, marked by autoscalers and cloud providers.</summary>
public sealed class LeavingTests
{
    [Fact]
    public void A_cordoned_member_is_swapped_for_a_spare_after_a_save_and_no_failure_is_charged()
    {
        var world = Running(nodes: 4, spares: 1);
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        var (before, spare) = (world.Status.Step, world.Pods.Single(p => p.Ordinal == 3).Uid);
        node.Cordon();
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);

        Assert.Equal(spare, world.Plan!.Members[1].PodUid);
        Assert.Equal(Reasons.NodeLeft, world.Plan.Cause.Reason);
        Assert.True(world.Plan.Resume!.Step >= before, "saved before it left");
        Assert.Equal(0, world.Status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);
        Assert.Equal([Budgets.LeaveNode], world.Plan.Budgets.Select(u => u.Budget));
        Assert.Null(node.Quarantine);
        Assert.DoesNotContain(world.Pods, p => p.Node == node);   // the drain goes on
        Assert.Equal("True", InService(world).Status);
    }

    [Fact]
    public void Without_a_spare_training_goes_on_for_a_while_and_then_the_pod_comes_back_elsewhere()
    {
        var world = Running(nodes: 4, spares: 0);
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        var since = world.Now;
        node.Cordon();
        world.Tick();
        Assert.Equal("WaitingForSpare", InService(world).Reason);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 900);

        Assert.InRange(world.Plan!.CreatedAt - since, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
        Assert.NotEqual(node.Name, world.Plan.Members[1].Node);
        Assert.Contains("there is no spare", world.Plan.Cause.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_with_notice_of_removal_is_left_at_once_even_without_a_spare()
    {
        var world = Running(nodes: 4, spares: 0);
        var (since, node) = (world.Now, world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node));
        node.Departure = new("node is tainted ToBeDeletedByClusterAutoscaler", IsClosed: true, IsUrgent: true);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        Assert.True(world.Plan!.CreatedAt - since < TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void A_node_that_is_uncordoned_while_a_spare_is_waited_for_is_not_left()
    {
        var world = Running(nodes: 3, spares: 0);
        world.Nodes[1].Cordon();
        world.Run(300);
        world.Nodes[1].Departure = null;
        world.Run(900);
        Assert.Equal((1, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void A_spare_on_a_cordoned_node_goes_elsewhere_and_training_does_not_notice()
    {
        var world = Running(nodes: 5, spares: 1);
        var spare = world.Pods.Single(p => p.Ordinal == 3);
        spare.Node!.Cordon();
        world.Run(20);
        Assert.Equal(1, world.Status.Epoch);
        Assert.NotEqual(spare.Uid, world.Pods.Single(p => p.Ordinal == 3).Uid);
        Assert.NotEqual(spare.Node, world.Pods.Single(p => p.Ordinal == 3).Node);
    }

    [Fact]
    public void A_machine_that_still_takes_pods_is_left_for_a_spare_and_keeps_its_pod()
    {
        var world = Running(nodes: 4, spares: 1);
        var member = world.Plan!.Members[1];
        world.Nodes.Single(n => n.Name == member.Node).Departure = new("node has the condition RebootScheduled", IsClosed: false, IsUrgent: true);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        Assert.DoesNotContain(world.Plan.Members, m => m.PodUid == member.PodUid);
        Assert.Contains(world.Pods, p => p.Uid == member.PodUid);
        world.Run(1000);
        Assert.Equal(2, world.Status.Epoch);
    }

    [Fact]
    public void Pods_that_tolerate_a_cordon_are_moved_once_and_not_again_and_again()
    {
        var job = Make.Job(nodes: 3, totalSteps: 20000);
        var world = new SimulatedWorld(job, nodes: 3) { ToleratesCordons = true };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        world.Nodes[1].Cordon();
        world.Run(4000);
        Assert.Equal((2, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void Shadow_mode_tells_once_what_it_would_have_done_and_stays()
    {
        var world = Running(nodes: 4, spares: 1, p => p with { LeaveNode = new() { Mode = PolicyMode.Shadow } });
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        node.Cordon();
        world.Run(600);
        world.RestartOperator();
        world.Run(600);
        Assert.Equal(1, world.Status.Epoch);
        Assert.Equal(1, world.Status.Logbook.Count(e => e.What == $"would have left node {node.Name}"));
        Assert.Equal("Shadow", InService(world).Reason);
    }

    [Fact]
    public void The_moves_are_bounded_by_their_own_budget()
    {
        var world = Running(nodes: 6, spares: 1, p => p with { LeaveNode = new() { Limit = 1 } });
        world.Nodes.Single(n => n.Name == world.Plan!.Members[0].Node).Cordon();
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node).Cordon();
        world.Run(1200);
        Assert.Equal((2, "BudgetExhausted"), (world.Status.Epoch, InService(world).Reason));
    }

    [Fact]
    public void A_cordon_that_is_lifted_during_the_drain_does_not_leave_the_job_standing()
    {
        var world = Running(nodes: 4, spares: 1);
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        node.Cordon();
        world.Tick();
        node.Departure = null;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
    }

    private static SimulatedWorld Running(int nodes, int spares, Func<FailurePolicySpec, FailurePolicySpec>? policy = null)
    {
        var job = Make.Job(nodes: 3, spares: spares, totalSteps: 20000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = (policy ?? (p => p))(job.Spec.FailurePolicy) } }, nodes: nodes);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }

    private static Condition InService(SimulatedWorld world) => world.Status.Conditions.Single(c => c.Type == ConditionTypes.NodesInService);
}
