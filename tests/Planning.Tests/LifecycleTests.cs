using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

public sealed class LifecycleTests
{
    [Fact]
    public void A_job_starts_trains_and_succeeds_and_then_holds_no_pods()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 20), nodes: 2);

        world.RunUntil(w => w.Status.Phase == JobPhase.Running);
        Assert.Equal([1, 0], [world.Plan!.Epoch, world.Plan.Revision]);
        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
        world.Run(5);

        Assert.Empty(world.Pods);
        Assert.Equal(20, world.Status.Step);
        Assert.Equal(0, world.Status.Restarts.Total);
        Assert.Equal(["launched", "finished"], world.Status.Logbook.Select(e => e.What.Split(' ')[0]));
        Assert.True(world.Set!.Outcome!.Succeeded);
    }

    [Fact]
    public void A_job_that_is_launched_once_more_from_its_last_checkpoint_has_succeeded()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 20), nodes: 2);
        world.RunUntil(w => w.Step == 15);
        while (world.Step < 20) world.Tick(dieAfter: 0);
        foreach (var pod in world.Pods) pod.Agent = world.NewAgent(pod);

        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded, limit: 100);
        Assert.Equal((2L, 20L), (world.Status.Epoch, world.Status.Step));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_run_that_ends_while_nobody_hears_rank_0_is_complete_by_what_the_others_and_the_store_say(bool isGone)
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 22), nodes: 2);
        world.RunUntil(w => w.Step == 20);
        world.Unreachable.Add(world.Plan!.Members[0].PodUid);
        while (world.Step < 22) world.Tick(dieAfter: 0);
        if (isGone) world.Pods.Single(p => p.Uid == world.Plan.Members[0].PodUid).Terminating = true;

        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded, limit: 100);
        Assert.Equal((1L, 22L, 0), (world.Status.Epoch, world.Status.Step, world.Status.Restarts.Total));
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
    }

    [Fact]
    public void A_run_whose_last_checkpoint_is_not_in_the_store_is_not_complete_because_the_others_say_so()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 22), nodes: 3) { CommitsToMemory = true };
        world.RunUntil(w => w.Step == 20);
        world.Unreachable.Add(world.Plan!.Members[0].PodUid);
        while (world.Step < 22) world.Tick(dieAfter: 0);
        world.Unreachable.Clear();
        foreach (var pod in world.Pods.Where(p => p.Uid == world.Plan.Members[0].PodUid)) pod.Agent = world.NewAgent(pod);

        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded, limit: 200);
        Assert.Equal(2L, world.Status.Epoch);
    }

    [Fact]
    public void A_failed_worker_is_relaunched_in_the_same_pods_from_the_last_commit()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Step == 10);
        var before = world.Pods.Select(p => p.Uid).ToArray();

        world.Agents.Last().Fail(WorkerExit.Internal, world.Now, "boom");
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Equal(before, world.Pods.Select(p => p.Uid));
        Assert.Equal(10, world.Plan!.Resume!.Step);
        Assert.Equal(Reasons.WorkerFailed, world.Plan.Cause.Reason);
        Assert.Contains("boom", world.Plan.Cause.Message, StringComparison.Ordinal);
        Assert.Equal([new RestartCount { Cause = Reasons.WorkerFailed, Count = 1 }], world.Status.Restarts.ByCause);
        Assert.Equal(Budgets.RelaunchInPlace, Assert.Single(world.Plan.Budgets).Budget);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_job_whose_only_checkpoint_is_lost_begins_again_if_it_lay_in_memory_and_asks_people_if_it_was_in_the_store(bool inMemory)
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2) { CommitsToMemory = inMemory };
        world.RunUntil(w => w.Step > 0);
        world.Agents.Last().Fail(WorkerExit.Internal, world.Now, "boom");
        world.RunUntil(w => w.Plan is { Epoch: 2, Resume: not null } && w.Agents.Any(a => a.State == AgentState.Launching));
        world.Agents.First().Fail(WorkerExit.Checkpoint, world.Now, "no checkpoint can be restored");

        world.RunUntil(w => w.Status.Epoch == 3 || w.Status.Phase == JobPhase.Failed);
        if (!inMemory)
        {
            Assert.Equal("NoCheckpoint", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Failed).Reason);
            return;
        }

        Assert.Null(world.Plan!.Resume);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running });
    }

    [Fact]
    public void A_dead_node_is_quarantined_and_its_pod_comes_back_elsewhere_with_its_rank()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 3);
        world.RunUntil(w => w.Step == 10);
        var (survivor, dead) = (world.Plan!.Members[0], world.Nodes.Single(n => n.Name == world.Plan.Members[1].Node));

        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.NotNull(dead.Quarantine);
        Assert.Equal(survivor.PodUid, world.Plan!.Members[0].PodUid);
        Assert.NotEqual(dead.Name, world.Plan.Members[1].Node);
        Assert.Equal(Reasons.NodeLost, world.Plan.Cause.Reason);
        Assert.Equal(dead.Name, Assert.Single(world.Status.Nodes.Quarantined).Name);
        // Order: quarantine, fence, delete, plan.
        var order = world.Done.SkipWhile(a => a is not QuarantineNode).Where(a => a is QuarantineNode or FenceStore or DeletePod or CreatePlan).Select(a => a.GetType().Name);
        Assert.Equal([nameof(QuarantineNode), nameof(FenceStore), nameof(DeletePod), nameof(CreatePlan)], order);
        Assert.True(world.Done.OfType<DeletePod>().Single().Now);
    }

    [Fact]
    public void A_spare_takes_the_rank_block_of_a_dead_member()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, spares: 1, totalSteps: 1000), nodes: 5);
        world.RunUntil(w => w.Step == 5);
        var spare = world.Pods.Single(p => p.Ordinal == 3);

        var dead = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status.Epoch == 2);

        Assert.Equal(spare.Uid, world.Plan!.Members[1].PodUid);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Nodes.SparesReady: 1 });
    }

    [Fact]
    public void In_place_relaunches_are_followed_by_a_replaced_node_once_their_budget_is_used_up()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 10000), nodes: 3);
        for (var i = 0; i < 3; i++)
        {
            var epoch = i + 1;
            world.RunUntil(w => w.Status.Phase == JobPhase.Running && w.Status.Epoch == epoch && w.Status.Step % 7 == 6);
            world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
        }

        world.RunUntil(w => w.Status is { Epoch: 4, Phase: JobPhase.Running });
        Assert.All(world.Nodes, n => Assert.Null(n.Quarantine));
        var suspect = world.Plan!.Members[1].Node;
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 5, Phase: JobPhase.Running });

        Assert.NotNull(world.Nodes.Single(n => n.Name == suspect).Quarantine);
        Assert.NotEqual(suspect, world.Plan.Members[1].Node);
    }

    [Theory]
    [InlineData(WorkerExit.Configuration, Reasons.Configuration)]
    [InlineData(WorkerExit.Data, Reasons.Data)]
    [InlineData(WorkerExit.TorchUnavailable, Reasons.TorchUnavailable)]
    public void A_users_mistake_stops_the_job_at_once_and_an_edit_starts_it_again(WorkerExit exit, string reason)
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Status.Phase == JobPhase.Launching && w.Agents.Any(a => a.State == AgentState.Launching));
        world.Agents.First().Fail(exit, world.Now, "data.train[0]: no such file");
        world.RunUntil(w => w.Status.Phase == JobPhase.Failed, limit: 3);
        world.Run(5);

        var condition = world.Status.Conditions.Single(c => c.Type == ConditionTypes.Failed);
        Assert.Equal((reason, "True"), (condition.Reason, condition.Status));
        Assert.Contains("data.train[0]: no such file", condition.Message, StringComparison.Ordinal);
        Assert.Empty(world.Pods);
        Assert.Equal(1, world.Status.Epoch);

        world.Job = world.Job.Edited(s => s with { FailurePolicy = s.FailurePolicy with { HangFactor = 20 } });
        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
    }

    [Fact]
    public void A_job_that_never_commits_stops_at_its_limit_and_says_so()
    {
        var job = Make.Job(totalSteps: 10000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = job.Spec.FailurePolicy with { NoProgressLimit = 4, RelaunchInPlace = new() { Limit = 100, Window = TimeSpan.FromDays(1) } } } }, nodes: 2) { CommitEvery = 1_000_000 };
        for (var i = 0; i < 2000 && world.Job.Status?.Phase != JobPhase.Failed; i++)
        {
            world.Tick();
            if (world.Job.Status?.Phase == JobPhase.Running) world.Agents.First().Fail(WorkerExit.Internal, world.Now);
        }

        Assert.Equal(JobPhase.Failed, world.Status.Phase);
        Assert.Equal("NoProgress", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Failed).Reason);
        Assert.Equal(5, world.Status.Epoch);   // the first launch and four relaunches
        var waits = world.Plans.Zip(world.Plans.Skip(1), (a, b) => b.Plan.CreatedAt - a.Plan.CreatedAt).ToArray();
        Assert.True(waits[^1] > 2 * waits[1], $"the waits grow: {string.Join(", ", waits)}");
    }

    [Fact]
    public void A_hang_is_noticed_by_the_step_deadline()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Step == 10);
        var stopped = world.Now;
        world.Agents.First().Stopped = true;
        world.RunUntil(w => w.Status.Epoch == 2);

        Assert.InRange(world.Now - stopped, TimeSpan.FromSeconds(120), TimeSpan.FromSeconds(125));
        Assert.Equal(Reasons.Hang, world.Plan!.Cause.Reason);
        Assert.InRange(world.Status.Goodput.Single(a => a.Account == Accounts.Detect).Seconds, 115, 125);
    }

    [Fact]
    public void A_last_save_that_takes_minutes_is_no_hang()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2) { LastSave = TimeSpan.FromMinutes(5) };
        world.RunUntil(w => w.Job.Status?.Step == 12);
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { MicroBatchSequences = 2 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        Assert.Equal(Reasons.SpecChanged, world.Plan!.Cause.Reason);

        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
        Assert.Equal((2L, 1), (world.Status.Epoch, world.Status.Restarts.Total));
        Assert.Equal(0, world.Status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);
    }

    [Fact]
    public void A_last_save_that_never_ends_is_a_hang_in_the_end()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2) { LastSave = TimeSpan.FromDays(1) };
        world.RunUntil(w => w.Status.Epoch == 2);

        Assert.Equal(Reasons.Hang, world.Plan!.Cause.Reason);
        Assert.InRange(world.Plan.CreatedAt - world.Plans[0].Plan.CreatedAt, TimeSpan.FromMinutes(12), TimeSpan.FromMinutes(14));
    }

    [Fact]
    public void Suspend_saves_and_releases_all_pods_and_resume_goes_on_where_it_was()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Job.Status?.Step == 12);
        world.Job = world.Job.Edited(s => s with { Suspend = true });
        world.RunUntil(w => w.Status.Phase == JobPhase.Suspended && w.Pods.Count == 0);
        var saved = world.Step;
        Assert.InRange(saved, 12, 15);   // saved on request, not at a multiple of five
        world.Run(100);
        Assert.Equal(JobPhase.Suspended, world.Status.Phase);

        world.Job = world.Job.Edited(s => s with { Suspend = false });
        world.RunUntil(w => w.Status.Phase == JobPhase.Running);
        Assert.Equal(saved, world.Plan!.Resume!.Step);
        Assert.Equal(Reasons.Resumed, world.Plan.Cause.Reason);
        Assert.InRange(world.Status.Goodput.Single(a => a.Account == Accounts.Pause).Seconds, 95, 110);
    }

    [Fact]
    public void A_live_edit_reaches_the_run_without_a_relaunch_and_is_proved_by_the_step_records()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Status.Phase == JobPhase.Running);
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { LearningRate = s.Training.LearningRate with { Peak = 5e-4 } } });
        world.Tick();
        Assert.Equal("False", world.Status.Conditions.Single(c => c.Type == ConditionTypes.SpecInForce).Status);
        world.RunUntil(w => w.Status.Conditions.Single(c => c.Type == ConditionTypes.SpecInForce).Status == "True", limit: 10);

        Assert.Equal([1, 1], [world.Status.Epoch, world.Status.Revision]);
        Assert.Equal(5e-4, world.Plan!.Training.HyperParameters.PeakLearningRate);
        Assert.Contains("0.001 -> 0.0005", world.Plan.Cause.Message, StringComparison.Ordinal);
        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
        Assert.Equal(1, world.Status.Epoch);
    }

    [Fact]
    public void A_relaunch_field_is_taken_after_a_drain_that_loses_no_step()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Job.Status?.Step == 12);
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { MicroBatchSequences = 2 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Equal(2, world.Plan!.Training.MicroBatchSequences);
        Assert.Equal(Reasons.SpecChanged, world.Plan.Cause.Reason);
        Assert.Equal(0, world.Status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);
    }

    [Fact]
    public void A_template_change_recreates_all_pods_in_one_transition()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Job.Status?.Step == 12);
        var before = world.Pods.Select(p => p.Uid).ToArray();
        world.Job = world.Job.Edited(s => s with { Pod = s.Pod with { Image = "opt-trainer:2" } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Empty(world.Pods.Select(p => p.Uid).Intersect(before));
        Assert.Equal(Reasons.SpecChanged, world.Plan!.Cause.Reason);
        Assert.InRange(world.Plan.Resume!.Step, 12, 15);
    }

    [Fact]
    public void A_template_the_API_server_refuses_disturbs_nothing()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2) { TemplateFaults = ["spec.template.spec.containers[0].imag: unknown field"] };
        world.Run(5);
        Assert.Null(world.Set);
        Assert.Equal(JobPhase.Pending, world.Status.Phase);
        Assert.Contains("unknown field", world.Status.Conditions.Single(c => c.Type == ConditionTypes.PodTemplateValid).Message, StringComparison.Ordinal);

        world.TemplateFaults = [];
        world.RunUntil(w => w.Status.Phase == JobPhase.Running);
        world.TemplateFaults = ["again"];
        world.Job = world.Job.Edited(s => s with { Pod = s.Pod with { Image = "opt-trainer:2" } });
        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
        Assert.Equal(1, world.Status.Epoch);
    }

    [Fact]
    public void More_nodes_are_waited_for_while_training_goes_on()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 500), nodes: 2);
        world.RunUntil(w => w.Job.Status?.Step == 10);
        world.Job = world.Job.Edited(s => s with { Topology = s.Topology with { Nodes = 3 } });
        world.Run(60);
        Assert.Equal((JobPhase.Running, 1L), (world.Status.Phase, world.Status.Epoch));
        Assert.InRange(world.Status.Step, 60, 80);
    }

    [Fact]
    public void Fewer_nodes_move_the_members_down_before_the_pods_go()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3), nodes: 3);
        world.RunUntil(w => w.Job.Status?.Step == 10);
        world.Job = world.Job.Edited(s => s with { Topology = s.Topology with { Nodes = 2 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running } && w.Pods.Count == 2);
        Assert.Equal(["opt-0", "opt-1"], world.Plan!.Members.Select(m => m.Pod));
    }

    [Fact]
    public void A_job_that_cannot_place_all_members_releases_its_pods_and_tries_again()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3), nodes: 2);
        world.RunUntil(w => w.Set is { Replicas: 0 }, limit: 1900);
        Assert.Equal("Released", world.Status.Conditions.Single(c => c.Type == ConditionTypes.MembersPlaced).Reason);
        Assert.Contains("opt-2 is Pending", world.Status.Conditions.Single(c => c.Type == ConditionTypes.MembersPlaced).Message, StringComparison.Ordinal);
        world.RunUntil(w => w.Set is { Replicas: 3 }, limit: 120);
        Assert.Equal(1, world.Set!.Release!.Times);
    }

    [Fact]
    public void An_unmanaged_job_is_watched_and_left_alone()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Status.Phase == JobPhase.Running);
        world.Job = world.Job.Edited(s => s with { ManagementState = ManagementState.Unmanaged });
        world.Run(5);
        var actions = world.Done.Count;
        world.Agents.First().Fail(WorkerExit.Internal, world.Now);
        world.Run(60);
        Assert.Equal(actions, world.Done.Count);
        world.Job = world.Job.Edited(s => s with { ManagementState = ManagementState.Managed });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
    }

    [Fact]
    public void An_operator_that_restarts_while_steps_advance_does_nothing()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 400), nodes: 2);
        world.RunUntil(w => w.Status.Phase == JobPhase.Running);
        // Telling the store its logbook again is harmless: an entry is stored once.
        var actions = world.Done.Count(a => a is not RecordLogbook);
        for (var i = 0; i < 20; i++)
        {
            world.RestartOperator(loseStatus: i % 2 == 0);
            world.Run(7);
        }

        Assert.Equal(actions, world.Done.Count(a => a is not RecordLogbook));
        Assert.Equal(1, world.Status.Epoch);
    }
}
