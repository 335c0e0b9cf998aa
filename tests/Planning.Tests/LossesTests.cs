using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>What stops and days cost, as the logbook tells it.</summary>
public sealed class LossesTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_stop_is_told_with_its_cost_when_training_is_back_where_it_was()
    {
        var running = Status(JobPhase.Running, epoch: 6, step: 1288, highest: 1288, ("productive", 90_000), ("restore", 60));
        var stopped = Next(running, Status(JobPhase.Recovering, 6, 1288, 1288, ("productive", 90_000), ("restore", 60), ("detect", 40)), out var none);
        Assert.Empty(none);
        Assert.Equal((6L, 1288L), (stopped.GoodputStop!.Epoch, stopped.GoodputStop.Step));
        var again = Next(stopped, Status(JobPhase.Running, 7, 1210, 1288, ("productive", 90_000), ("restore", 148), ("detect", 40), ("provision", 60), ("recompute", 30)), out none);
        Assert.Empty(none);   // what it repeats is part of the cost
        var failedAgain = Next(again, Status(JobPhase.Recovering, 7, 1220, 1288, ("productive", 90_000), ("restore", 148), ("detect", 45), ("provision", 60), ("recompute", 35)), out none);
        Assert.Equal(stopped.GoodputStop, failedAgain.GoodputStop);
        var back = Next(failedAgain, Status(JobPhase.Running, 8, 1288, 1288, ("productive", 90_000), ("restore", 148), ("detect", 45), ("provision", 60), ("recompute", 124.04)), out var notes);

        Assert.Equal(new Note("training again after 317 s lost", "epoch 8 has come back to step 1288: 45 s to detect it, 60 s for machines, 88 s to load, 124 s of work done again; ETTR 99.6 % of 25.1 h, 97.9 % of the last 24 h"), Assert.Single(notes));
        Assert.Null(back.GoodputStop);
        Next(back, back with { Step = 1289 }, out none);
        Assert.Empty(none);
    }

    [Fact]
    public void What_goes_on_in_its_own_epoch_was_no_stop_and_what_ends_is_not_told_to_train_again()
    {
        var running = Status(JobPhase.Running, 6, 1288, 1288, ("productive", 1000));
        var stopped = Next(running, running with { Phase = JobPhase.Recovering }, out _);
        Assert.Null(Next(stopped, running, out var notes).GoodputStop);
        Assert.Empty(notes);
        Assert.Null(Next(stopped, running with { Phase = JobPhase.Failed }, out notes).GoodputStop);
        Assert.Empty(notes);
    }

    [Fact]
    public void A_day_is_told_at_its_end_and_one_of_pause_alone_is_not()
    {
        var first = Next(null, Status(JobPhase.Running, 1, 0, 0, ("productive", 0)), out var notes, Noon);
        Assert.Equal(Noon, first.GoodputDay!.Since);
        var evening = Next(first, Status(JobPhase.Running, 2, 2000, 2000, ("productive", 40_000), ("recompute", 1000), ("restore", 160)) with { LostTime = [new() { Cause = "NodeLost", Node = "node-7", Seconds = 900 }, new() { Cause = "Checkpoint", Seconds = 260 }] }, out notes, Noon.AddHours(11));
        Assert.Empty(notes);
        var next = Next(evening, evening, out notes, Noon.AddHours(12));

        Assert.Equal(new Note("ledger of 2026-11-21: 97.2 % productive", "2000 steps in 41160 s; lost: 160 s to load, 1000 s of work done again; ETTR 97.2 % of 11.4 h; most lost so far to NodeLost (node-7) 900 s, Checkpoint 260 s"), Assert.Single(notes));
        Assert.Equal((Noon.AddHours(12), 2000L), (next.GoodputDay!.Since, next.GoodputDay.Step));
        var asleep = Next(next, Status(JobPhase.Suspended, 2, 2000, 2000, ("productive", 40_000), ("recompute", 1000), ("restore", 160), ("pause", 86_400)), out notes, Noon.AddHours(36));
        Assert.Empty(notes);
        Assert.Equal(Noon.AddHours(36), asleep.GoodputDay!.Since);
    }

    [Fact]
    public void A_failure_in_the_midst_of_training_ends_with_its_cost_in_the_logbook_though_the_operator_died_meanwhile()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 13 });
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status.GoodputStop is not null);
        world.RestartOperator();
        world.RunUntil(w => w.Status.Logbook.Any(e => e.What.StartsWith("training again", StringComparison.Ordinal)));

        var entry = Assert.Single(world.Status.Logbook, e => e.What.StartsWith("training again", StringComparison.Ordinal));
        Assert.Equal(2, entry.Epoch);
        Assert.Contains("of work done again; ETTR ", entry.Why, StringComparison.Ordinal);
        Assert.Null(world.Status.GoodputStop);
        world.Run(100);
        Assert.Single(world.Status.Logbook, e => e.What.StartsWith("training again", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0), InlineData(1)]
    public void A_cost_is_in_the_stores_logbook_once_though_operators_die_before_they_write_the_status(int parity)
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 13 });
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status.GoodputStop is not null);
        for (var i = 0; i < 600 && world.Status.GoodputStop is not null; i++) world.Tick(beforeStatus: i % 2 == parity);
        world.Run(60);

        Assert.Single(world.Status.Logbook, e => e.What.StartsWith("training again", StringComparison.Ordinal));
        Assert.Single(world.Stored, e => e.Contains(" operator training again", StringComparison.Ordinal));
    }

    private static OptTrainingJobStatus Next(OptTrainingJobStatus? old, OptTrainingJobStatus now, out EquatableList<Note> notes, DateTimeOffset? at = null)
    {
        var result = Losses.Of(old, now, at ?? Noon);
        notes = result.Notes;
        return now with { GoodputStop = result.Stop, GoodputDay = result.Day };
    }

    private static OptTrainingJobStatus Status(JobPhase phase, long epoch, long step, long highest, params (string Account, double Seconds)[] accounts) => new()
    {
        Phase = phase, Epoch = epoch, Step = step, HighestStep = highest, GoodputAsOf = Noon, Goodput = [.. accounts.Select(a => new LedgerAccount { Account = a.Account, Seconds = a.Seconds })],
        GoodputWindows = [new() { Window = "24h", Seconds = 86_400, Percent = 97.9 }],
    };
}
