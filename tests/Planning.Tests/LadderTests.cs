using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Rungs that look beyond one incident: repeat offenders, outages, the breaker.</summary>
public sealed class LadderTests
{
    [Fact]
    public void A_node_named_by_a_second_hang_within_a_day_is_replaced_although_the_budget_for_relaunches_is_not_used_up()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        var suspect = world.Plan!.Members[1].Node;
        Hang(world);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        Assert.Null(world.Nodes.Single(n => n.Name == suspect).Quarantine);
        world.Run(2400);   // the budget's window of half an hour is long over
        Hang(world);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running });

        Assert.NotNull(world.Nodes.Single(n => n.Name == suspect).Quarantine);
        Assert.NotEqual(suspect, world.Plan.Members[1].Node);
    }

    [Fact]
    public void A_node_named_by_its_first_hang_gives_its_place_to_a_warm_spare_and_is_put_aside()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, spares: 2, totalSteps: 2000), nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12, Nodes.SparesReady: 2 });
        var before = world.Plan!.Members;
        Hang(world);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Equal([before[0], before[2]], [world.Plan.Members[0], world.Plan.Members[2]]);
        Assert.Equal(before[1].Node, Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
        world.Run(120);
        var dead = world.Nodes.Single(n => n.Name == world.Plan.Members[0].Node);
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running });
        Assert.DoesNotContain(before[1].Node, world.Plan.Members.Select(m => m.Node));
    }

    [Theory]
    [InlineData(0, 24)]   // the breaker is open
    [InlineData(9, 0)]    // nodes may not be replaced
    public void Where_a_node_may_not_be_put_aside_one_named_by_its_first_hang_gives_its_place_to_a_warm_spare_and_stays(int room, int limit)
    {
        var job = Make.Job(nodes: 3, spares: 1, totalSteps: 2000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = job.Spec.FailurePolicy with { ReplaceNode = new() { Limit = limit, Window = TimeSpan.FromDays(1) } } } }, nodes: 4) { QuarantineRoom = room };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12, Nodes.SparesReady: 1 });
        var before = world.Plan!.Members;
        Hang(world);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.DoesNotContain(before[1].Node, world.Plan.Members.Select(m => m.Node));
        Assert.Equal([before[0], before[2]], [world.Plan.Members[0], world.Plan.Members[2]]);
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        Assert.Equal(1, world.Status.Nodes.SparesReady);
    }

    /// <summary>Deleted; killed after its grace; failed, and deleted afterwards.</summary>
    [Theory]
    [InlineData(true, false, false, false)]
    [InlineData(false, true, true, false)]
    [InlineData(false, false, true, true)]
    public void A_lost_pod_is_replaced_and_held_against_its_node_only_when_it_failed_before_anybody_deleted_it(bool ended, bool terminating, bool failed, bool blamed)
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 2000), nodes: blamed ? 4 : 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        var member = world.Plan!.Members[1];
        var pod = world.Pods.Single(p => p.Uid == member.PodUid);
        (pod.Ended, pod.Terminating, pod.Failed) = (ended, terminating, failed);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);

        Assert.NotEqual(member.PodUid, world.Plan.Members[1].PodUid);
        Assert.Equal(blamed ? Reasons.PodFailed : Reasons.PodLost, world.Plan.Cause.Reason);
        Assert.Equal(blamed ? [member.Node] : [], world.Nodes.Where(n => n.Quarantine is not null).Select(n => n.Name));
    }

    [Fact]
    public void A_spare_that_was_named_before_takes_over_last()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, spares: 2, totalSteps: 2000), nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12, Nodes.SparesReady: 2 });
        var suspect = world.Plan!.Members[1].Node;
        world.QuarantineRoom = 0;
        Hang(world);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running, Nodes.SparesReady: 2 });   // its pod, of a lower ordinal, is a spare now
        world.QuarantineRoom = int.MaxValue;
        var dead = world.Nodes.Single(n => n.Name == world.Plan.Members[0].Node);
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running });

        Assert.DoesNotContain(suspect, world.Plan.Members.Select(m => m.Node));
    }

    [Fact]
    public void An_operator_that_no_agent_answers_any_more_leaves_the_training_alone_however_long_it_lasts()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, spares: 1, totalSteps: 9000), nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        foreach (var pod in world.Pods.ToArray())
        {
            world.Unreachable.Add(pod.Uid);
            world.Run(3);   // they are not found silent at the same moment
        }

        world.Run(3600);
        var running = world.Status.Conditions.Single(c => c.Type == ConditionTypes.Running);
        Assert.Equal(("Unknown", "CutOff"), (running.Status, running.Reason));
        world.Unreachable.Clear();
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: > 3600 });
        Assert.Equal((1, 0), (world.Status.Epoch, world.Status.Restarts.Total));
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
    }

    [Fact]
    public void A_clock_that_is_set_back_delays_no_relaunch()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 2, totalSteps: 2000), nodes: 2);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 3 });
        world.JumpClock(TimeSpan.FromMinutes(-30));
        world.Agents.First().Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
    }

    [Fact]
    public void A_worker_that_fails_on_the_same_node_through_the_day_is_at_last_the_nodes_fault()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 2, totalSteps: 20000), nodes: 3);
        var suspect = "";
        for (var time = 1; time <= 4; time++)
        {
            var epoch = time;
            world.RunUntil(w => w.Status.Phase is JobPhase.Running && w.Status.Epoch == epoch && w.Status.Step % 7 == 6);
            suspect = suspect.Length == 0 ? world.Plan!.Members[1].Node : suspect;
            Assert.Null(world.Nodes.Single(n => n.Name == suspect).Quarantine);
            world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
            if (time < 4) world.Run(2000);
        }

        world.RunUntil(w => w.Status is { Epoch: 5, Phase: JobPhase.Running });
        Assert.NotNull(world.Nodes.Single(n => n.Name == suspect).Quarantine);
    }

    [Fact]
    public void When_most_machines_fall_silent_none_is_quarantined_and_the_job_goes_on_when_they_are_back()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 12, totalSteps: 1000), nodes: 13);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        foreach (var node in world.Nodes.Take(10)) (node.Alive, node.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status.Conditions.Any(c => c is { Type: ConditionTypes.NodeActionsAllowed, Status: "False", Reason: "Outage" }), limit: 120);
        world.Run(3 * 3600);
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        foreach (var node in world.Nodes) node.Alive = true;

        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded, limit: 8000);
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
    }

    [Fact]
    public void Five_machines_lost_at_once_are_all_replaced()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 24, spares: 6, totalSteps: 1000), nodes: 30);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        foreach (var node in world.Nodes.Take(5)) (node.Alive, node.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 120);
        Assert.Equal(5, world.Nodes.Count(n => n.Quarantine is not null));
    }

    [Fact]
    public void An_open_breaker_keeps_the_node_and_relaunches_on_it()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 2, totalSteps: 1000), nodes: 3) { QuarantineRoom = 0 };
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded, limit: 3000);

        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        Assert.Equal(2, world.Status.Epoch);
        Assert.Contains(world.Status.Logbook, e => e.Why.Contains("as many nodes of the cluster are quarantined as the operator may put aside", StringComparison.Ordinal));
    }

    [Fact]
    public void In_Shadow_mode_a_bad_node_is_named_once_and_kept_and_the_job_relaunched_in_place()
    {
        var job = Make.Job(nodes: 2, totalSteps: 1000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = job.Spec.FailurePolicy with { ReplaceNode = new() { Limit = 24, Window = TimeSpan.FromDays(1), Mode = PolicyMode.Shadow } } } }, nodes: 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        var (before, suspect) = (world.Pods.Select(p => p.Uid).ToArray(), world.Plan!.Members[1].Node);
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        world.Run(30);

        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        Assert.Equal(before, world.Pods.Select(p => p.Uid));
        Assert.Equal(1, world.Status.Logbook.Count(e => e.What == $"would have quarantined node {suspect} and replaced its pod"));
        Assert.Contains(Announcements.Between(null, world.Status), a => a.Reason == "ShadowDecision");
        Assert.Equal(Budgets.ReplaceNode, Assert.Single(world.Plan!.Budgets).Budget);   // counted as if it had been done
    }

    [Fact]
    public void A_budget_that_Shadow_decisions_use_up_stops_the_job_as_it_would_have()
    {
        var job = Make.Job(nodes: 2, totalSteps: 1000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = job.Spec.FailurePolicy with { ReplaceNode = new() { Limit = 1, Window = TimeSpan.FromDays(1), Mode = PolicyMode.Shadow } } } }, nodes: 3);
        for (var epoch = 1; epoch <= 2; epoch++)
        {
            world.RunUntil(w => w.Status.Phase is JobPhase.Running && w.Status.Epoch == epoch && w.Status.Step % 7 == 6);
            world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
        }

        world.RunUntil(w => w.Status.Phase is JobPhase.Failed, limit: 60);
        Assert.Equal("BudgetExhausted", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Failed).Reason);
    }

    [Theory]
    [InlineData(3, 0, 3)]      // three are always allowed
    [InlineData(3, 3, 0)]
    [InlineData(130, 0, 26)]   // a fifth
    [InlineData(130, 26, 0)]
    [InlineData(2000, 39, 1)]  // the absolute bound is the tighter one
    [InlineData(2000, 90, 0)]
    public void The_breaker_holds_both_bounds(int total, int quarantined, int room) => Assert.Equal(room, new QuarantineBreaker(Nodes: 40).Room(total, quarantined));

    [Fact]
    public void An_operator_that_was_stopped_does_not_take_its_own_absence_for_a_hang()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 2000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });

        Assert.DoesNotContain(world.DecideAfterStop(seconds: 600).Actions, a => a is FenceStore);
        world.Run(30);
        Assert.Equal((JobPhase.Running, 1L), (world.Status.Phase, world.Status.Epoch));
    }

    private static void Hang(SimulatedWorld world)
    {
        var agent = world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid);
        agent.Stopped = true;
        agent.LastAttempt--;
    }
}
