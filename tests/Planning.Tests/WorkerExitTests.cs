using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>What each way in which a worker can end leads to, in the middle of a run with machines to spare.</summary>
public sealed class WorkerExitTests
{
    public static TheoryData<WorkerExit, string, bool> Exits => new()
    {
        { WorkerExit.Internal, Reasons.WorkerFailed, false },
        { WorkerExit.ControlDiverged, Reasons.ControlDiverged, false },
        { WorkerExit.Rendezvous, Reasons.Rendezvous, false },
        { WorkerExit.PortInUse, Reasons.Rendezvous, false },
        { WorkerExit.Store, Reasons.StoreFailed, false },
        { WorkerExit.Checkpoint, Reasons.CheckpointUnreadable, false },
        { WorkerExit.OutOfMemory, Reasons.OutOfMemory, false },
        { WorkerExit.DiskFull, Reasons.DiskFull, false },
        { WorkerExit.Numerical, Reasons.Numerical, false },
        { WorkerExit.Device, Reasons.DeviceFailed, true },
    };

    [Theory]
    [MemberData(nameof(Exits))]
    public void Each_exit_is_the_cause_of_the_next_epoch_and_only_a_broken_device_costs_the_node_at_once(WorkerExit exit, string reason, bool replaced)
    {
        var world = Running();
        var bad = world.Plan!.Members[1];
        Fail(world, exit);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);
        Assert.Equal(reason, world.Plan.Cause.Reason);
        Assert.Equal(replaced, world.Nodes.Single(n => n.Name == bad.Node).Quarantine is not null);
        Assert.Contains("no more", world.Plan.Cause.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_is_full_a_second_time_costs_the_node()
    {
        var world = Running();
        var bad = world.Plan!.Members[1];
        Fail(world, WorkerExit.DiskFull);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);
        world.Run(3600);
        Fail(world, WorkerExit.DiskFull);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running }, limit: 300);
        Assert.Equal(bad.Node, Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
    }

    /// <summary>OPT: "restart is too slow, too wide, or all at once".</summary>
    [Fact]
    public void Relaunches_without_progress_wait_longer_and_longer_up_to_five_minutes_and_jobs_do_not_wait_in_step()
    {
        Assert.Equal(TimeSpan.Zero, Progress.BackOff(0, "any"));
        for (var launches = 1; launches <= 40; launches++)
        {
            var waits = Enumerable.Range(0, 50).Select(i => Progress.BackOff(launches, $"cause-{i}").TotalSeconds).ToArray();
            var middle = Math.Min(300, 5 * Math.Pow(2, launches - 1));
            Assert.All(waits, w => Assert.InRange(w, 0.899 * middle, 1.101 * middle));
            Assert.True(waits.Distinct().Count() > 25, "the causes of 50 jobs spread");
            Assert.Equal(waits[7], Progress.BackOff(launches, "cause-7").TotalSeconds);   // the next operator waits for the same time
        }
    }

    private static void Fail(SimulatedWorld world, WorkerExit exit) => world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(exit, world.Now, "no more");

    private static SimulatedWorld Running()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }
}
