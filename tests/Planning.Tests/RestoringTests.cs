using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

public sealed class RestoringTests
{
    [Fact]
    public void While_workers_restore_the_status_shows_each_slow_shard_and_when_the_last_is_there()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Step == 10);
        Assert.Null(world.Status.Restore);
        world.Agents.Last().Fail(WorkerExit.Internal, world.Now, "boom");
        world.RunUntil(w => w.Plan is { Epoch: 2, Resume.Step: 10 } && w.Agents.All(a => a.Epoch == 2 && a.Plan?.Epoch == 2));

        var agents = world.Plan!.Members.Select(m => world.Agents.Single(a => a.PodUid == m.PodUid)).ToArray();
        Say(0, new() { Rank = 0, State = WorkerState.Restoring, RestoreProgress = 0.25, RestoreSecondsLeft = 30 });
        Assert.Equal(new() { Step = 10, Workers = 2, Done = 0, Progress = 0.125, SecondsLeft = 30, Slowest = [new() { Rank = 0, Pod = "opt-0", Progress = 0.25, SecondsLeft = 30 }] }, world.Status.Restore);

        Say(1, new() { Rank = 1, State = WorkerState.Restoring });
        Assert.Equal((0.125, null), (world.Status.Restore!.Progress, world.Status.Restore.SecondsLeft));   // no estimate while one has none
        Assert.Equal([1, 0], world.Status.Restore.Slowest.Select(w => w.Rank));

        Say(1, new() { Rank = 1, State = WorkerState.Restoring, RestoreProgress = 0.5, RestoreSecondsLeft = 41.26 });
        Assert.Equal((0.375, 41.3), (world.Status.Restore!.Progress, world.Status.Restore.SecondsLeft));

        Say(0, new() { Rank = 0, State = WorkerState.Training });
        Assert.Equal((1, 0.75), (world.Status.Restore!.Done, world.Status.Restore.Progress));
        Assert.Equal(1, Assert.Single(world.Status.Restore.Slowest).Rank);
        Say(1, new() { Rank = 1, State = WorkerState.Training });
        Assert.Null(world.Status.Restore);

        void Say(int member, WorkerStatus worker)
        {
            agents[member].Workers = [worker];
            world.Tick();
        }
    }

    [Fact]
    public void Of_many_shards_the_eight_furthest_behind_are_shown()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Step == 10);
        world.Agents.Last().Fail(WorkerExit.Internal, world.Now, "boom");
        world.RunUntil(w => w.Plan is { Epoch: 2, Resume.Step: 10 } && w.Agents.All(a => a.Plan?.Epoch == 2));
        world.Agents.First().Workers = [.. Enumerable.Range(0, 20).Select(rank => new WorkerStatus { Rank = rank, State = WorkerState.Restoring, RestoreProgress = 1 - rank * 0.01 })];
        world.Tick();
        Assert.Equal(Enumerable.Range(12, 8).Reverse(), world.Status.Restore!.Slowest.Select(w => w.Rank));
    }
}
