using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Where the time went, and what follows from it.</summary>
public sealed class AccountTests
{
    [Theory]
    [InlineData(0.016, 1)]
    [InlineData(0.009, 0)]
    [InlineData(1, 4)]     // OPT-175B: two hosts a day, replaced within half a day
    [InlineData(2, 6)]
    [InlineData(0.33, 2)]
    public void Spares_suffice_in_99_of_100_cases(double mean, int spares) => Assert.Equal(spares, Advice.Spares(mean));

    [Theory]
    [InlineData(1, 43200, 293)]      // sqrt(2 C M) = 294
    [InlineData(120, 43200, 3140)]   // 3220 less the stall, and a little more
    [InlineData(100, 40, 40)]        // a stall longer than the time between failures
    public void The_checkpoint_interval_is_Dalys(double stall, double between, double seconds) => Assert.Equal(seconds, Advice.Interval(stall, between), 1.0);

    [Fact]
    public void What_is_measured_outweighs_what_is_assumed()
    {
        var none = Advice.Of(new(), nodes: 124, TimeSpan.Zero, stall: 0);
        Assert.Equal((2, 4, null), (none.FailuresPerDay, none.SpareNodes, none.CheckpointEvery));
        var many = Advice.Of(new() { ByCause = [new() { Cause = Reasons.NodeLost, Count = 40 }, new() { Cause = Reasons.SpecChanged, Count = 99 }] }, nodes: 124, TimeSpan.FromDays(10), stall: 0.2);
        Assert.Equal((40, 3.9), (many.Failures, many.FailuresPerDay));
        Assert.Equal(6, many.SpareNodes);
        Assert.InRange(many.CheckpointEvery!.Value.TotalSeconds, 90, 97);
        Assert.Equal(TimeSpan.FromMinutes(1), Advice.Of(new(), nodes: 124, TimeSpan.Zero, stall: 1e-4).CheckpointEvery);
    }

    [Fact]
    public void An_interval_far_from_the_one_that_loses_the_least_is_told_and_auto_is_let_be()
    {
        var spec = Make.Job(nodes: 2, totalSteps: 200000).Spec.Checkpoint;
        Assert.Equal(("True", "Followed"), After(spec with { Every = new() }));
        Assert.Equal(("False", "CheckpointMoreOften"), After(spec with { Every = new() { Minutes = 1000 } }));
        Assert.Equal(("False", "CheckpointLessOften"), After(spec with { Every = new() { Minutes = 1 } }));
        // Where the nodes' memory holds checkpoints in between, what counts is how often they are made.
        Assert.Equal(("True", "Followed"), After(spec with { Every = new() { Minutes = 1000 }, Memory = new() }));
        Assert.Equal(("False", "CheckpointMoreOften"), After(spec with { Every = new(), Memory = new() { Every = new() { Minutes = 1000 } } }));

        static (string, string) After(CheckpointSpec checkpoint)
        {
            var job = Make.Job(nodes: 2, totalSteps: 200000);
            var world = new SimulatedWorld(job with { Spec = job.Spec with { Checkpoint = checkpoint, Topology = job.Spec.Topology with { SpareNodes = 3 } } }, nodes: 12) { Shape = r => r with { Timing = new() { CheckpointStall = 0.5 } } };
            for (var epoch = 2; epoch <= 4; epoch++)
            {
                world.RunUntil(w => w.Status is { Phase: JobPhase.Running } && w.Status.Epoch == epoch - 1);
                world.Run(8);
                world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
            }

            world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Epoch: 4 });
            world.Run(8);
            Assert.NotNull(world.Status.Advice!.CheckpointEvery);
            return Followed(world);
        }
    }

    [Fact]
    public void Each_plan_tells_the_workers_how_often_machines_failed_so_far()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 10);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        Assert.Equal(0.016, world.Plan!.NodeFailuresPerDay);   // nothing measured: one in 62 days
        for (var epoch = 2; epoch <= 3; epoch++)
        {
            world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
            world.RunUntil(w => w.Status.Epoch == epoch && w.Status is { Phase: JobPhase.Running });
            world.Run(8);
        }

        // The second plan was made after one failure, the third with two: the one being dealt with is counted with its launch.
        Assert.Equal(0.032, world.Plan!.NodeFailuresPerDay);
    }

    [Fact]
    public void A_job_with_too_few_spares_is_told_so_once_enough_has_failed()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 10);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        Assert.Equal(("Unknown", "TooEarly"), Followed(world));
        for (var epoch = 2; epoch <= 4; epoch++)
        {
            world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
            world.RunUntil(w => w.Status.Epoch == epoch && w.Status is { Phase: JobPhase.Running });
            world.Run(8);
        }

        Assert.Equal(("False", "MoreSpares"), Followed(world));
        Assert.Equal(3, world.Status.Advice!.Failures);
        world.Job = world.Job.Edited(s => s with { Topology = s.Topology with { SpareNodes = 3 } });
        world.Run(10);
        Assert.Equal(("True", "Followed"), Followed(world));
    }

    [Fact]
    public void Every_unproductive_second_has_a_cause_and_a_node_where_one_is_to_blame()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 2, totalSteps: 20000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        var dead = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        world.Run(30);

        var unproductive = world.Status.Goodput.Where(a => a.Account != Accounts.Productive).Sum(a => a.Seconds);
        Assert.Equal(unproductive, world.Status.LostTime.Sum(l => l.Seconds), 0.1);
        var blamed = Assert.Single(world.Status.LostTime, l => l.Node == dead.Name);
        Assert.Equal(Reasons.NodeLost, blamed.Cause);
        Assert.InRange(blamed.Seconds, 40, 70);   // from the grace period of the cluster to the steps done again
    }

    [Fact]
    public void The_first_step_of_a_launch_is_charged_to_what_it_was_and_not_to_the_launch()
    {
        var launching = new OptTrainingJobStatus { Phase = JobPhase.Recovering, GoodputAsOf = Make.Now, HighestStep = 9 };
        var inFlight = Ledger.Charge(launching, [], Accounts.Productive, failedAt: null, isLastSave: false, Make.Now.AddSeconds(15));
        Assert.Equal(0, inFlight.Accounts.Sum(a => a.Seconds));
        var done = Ledger.Charge(launching, [First(step: 10)], Accounts.Productive, failedAt: null, isLastSave: false, Make.Now.AddSeconds(21));
        Assert.Equal((20, 1), (Seconds(done, Accounts.Productive), Seconds(done, Accounts.Rendezvous)));
        var again = Ledger.Charge(launching, [First(step: 9)], Accounts.Productive, failedAt: null, isLastSave: false, Make.Now.AddSeconds(21));
        Assert.Equal((20, 1), (Seconds(again, Accounts.Recompute), Seconds(again, Accounts.Rendezvous)));
        var broken = Ledger.Charge(launching, [], Accounts.Diagnose, failedAt: Make.Now.AddSeconds(15), isLastSave: false, Make.Now.AddSeconds(17));
        Assert.Equal((15, 2), (Seconds(broken, Accounts.Detect), Seconds(broken, Accounts.Diagnose)));

        static StepRecord First(long step) => new()
        {
            Epoch = 2, Revision = 0, Attempt = step, Step = step, Samples = step, Tokens = step, Loss = 2, LearningRate = 1e-4, LossScale = 1, Skipped = false, Time = Make.Now.AddSeconds(21), Seconds = 20, TokensPerSecond = 1,
            HyperParameters = TrainingConfigResolver.Resolve(Make.Job().Spec).HyperParameters, Timing = new(),
        };
    }

    [Fact]
    public void The_wait_for_a_save_before_a_wanted_relaunch_and_at_the_end_is_a_checkpoint_stall()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2) { LastSave = TimeSpan.FromMinutes(5) };
        world.RunUntil(w => w.Job.Status?.Step == 12);
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { MicroBatchSequences = 2 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        Assert.InRange(world.Status.Goodput.Single(a => a.Account == Accounts.CheckpointStall).Seconds, 295, 310);
        world.RunUntil(w => w.Status.Phase == JobPhase.Succeeded);
        Assert.InRange(world.Status.Goodput.Single(a => a.Account == Accounts.CheckpointStall).Seconds, 590, 620);
        Assert.InRange(world.Status.Goodput.Single(a => a.Account == Accounts.Pause).Seconds, 0, 5);
    }

    private static double Seconds(Ledger.Book book, string account) => book.Accounts.Single(a => a.Account == account).Seconds;

    [Fact]
    public void The_last_hour_and_the_last_day_are_counted_apart_and_survive_the_operator()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 2, totalSteps: 20000), nodes: 2);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running });
        world.Job = world.Job.Edited(s => s with { Suspend = true });
        world.Run(1800);
        world.Job = world.Job.Edited(s => s with { Suspend = false });
        world.Run(3700);
        world.RestartOperator();
        world.Run(2);

        var (hour, day) = (world.Status.GoodputWindows[0], world.Status.GoodputWindows[1]);
        Assert.Equal(("1h", "24h"), (hour.Window, day.Window));
        Assert.True(hour.Percent > 99, $"{hour.Percent}");
        Assert.InRange(hour.Seconds, 3300, 3600);
        Assert.InRange(day.Percent, 60, 72);
        Assert.DoesNotContain(hour.Lost, l => l.Cause == "Pause");
        Assert.InRange(Assert.Single(day.Lost, l => l.Cause == "Pause").Seconds, 1700, 1820);
        Assert.InRange(Assert.Single(day.Accounts, a => a.Account == Accounts.Pause).Seconds, 1700, 1820);
        Assert.True(world.Status.GoodputHistory.Count <= 36);
    }

    private static (string, string) Followed(SimulatedWorld world) => world.Status.Conditions.Where(c => c.Type == ConditionTypes.AdviceFollowed).Select(c => (c.Status, c.Reason)).Single();
}
