using Opt.Api.V1Alpha1;
using Opt.Testing;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>What becomes of a save that is due while another is being uploaded: steps of ten seconds, a save every two steps.</summary>
public sealed class SaveTurnsTests
{
    private static readonly TimeSpan StepTime = TimeSpan.FromSeconds(10);
    private readonly SaveTurns _turns = new(default, nodes: 1);
    private bool _busy, _memoryBusy;

    [Fact]
    public void Waiting_makes_the_late_save_as_soon_as_the_upload_is_done_counts_it_once_and_the_interval_goes_on_from_there()
    {
        Assert.Equal([2L], Run(1, 3));
        _busy = true;
        Assert.Empty(Run(4, 7));
        Assert.Equal((0, 1), (_turns.SkippedSaves, _turns.LateSaves));
        _busy = false;
        Assert.Equal([8L, 10], Run(8, 11));
        _busy = true;
        Run(12, 12);
        Assert.Equal((0, 2), (_turns.SkippedSaves, _turns.LateSaves));
    }

    [Fact]
    public void Skipping_leaves_each_save_out_that_is_due_meanwhile_and_makes_the_next_at_its_own_time()
    {
        Assert.Equal([2L], Run(1, 3, Spec(BusyUpload.Skip)));
        _busy = true;
        Assert.Empty(Run(4, 7, Spec(BusyUpload.Skip)));
        Assert.Equal((2, 0), (_turns.SkippedSaves, _turns.LateSaves));   // of steps 4 and 6
        _busy = false;
        Assert.Equal([8L], Run(7, 9, Spec(BusyUpload.Skip)));
    }

    [Fact]
    public void The_policy_is_live()
    {
        Run(1, 3);
        _busy = true;
        Assert.Empty(Run(4, 5));
        Assert.Empty(Run(6, 7, Spec(BusyUpload.Skip)));
        Assert.Equal((1, 1), (_turns.SkippedSaves, _turns.LateSaves));
    }

    [Theory]
    [InlineData(BusyUpload.Wait)]
    [InlineData(BusyUpload.Skip)]
    public void A_save_that_was_asked_for_waits_for_its_turn_whatever_the_policy_and_is_made_once(BusyUpload policy)
    {
        var spec = Spec(policy) with { Every = new() { Steps = 1000 } };
        _busy = true;
        _turns.Ask();
        Assert.Empty(Run(1, 3, spec));
        _busy = false;
        Assert.Equal([4L], Run(4, 9, spec));
        Assert.Equal((0, 0), (_turns.SkippedSaves, _turns.LateSaves));
    }

    [Fact]
    public void A_copy_in_memory_waits_for_no_upload_but_for_the_copy_before_it()
    {
        var spec = Spec(BusyUpload.Wait) with { Memory = new() { Every = new() { Steps = 1 } } };
        Assert.Equal([2L], Run(2, 2, spec));
        _busy = true;
        Assert.Equal([3L, 4], Run(3, 4, spec));
        _memoryBusy = true;
        Assert.Empty(Run(5, 5, spec));
        _memoryBusy = false;
        Assert.Equal([6L], Run(6, 6, spec));
    }

    [Fact]
    public void A_save_to_the_store_does_not_stand_for_the_copy_in_memory_that_counts_at_once()
    {
        var spec = Spec(BusyUpload.Wait) with { Every = new() { Steps = 4 }, Memory = new() { Every = new() { Steps = 2 } } };
        Assert.Equal([2L, 4, 5, 6, 8, 9], Run(1, 9, spec));   // 4 and 8 to the store
    }

    [Fact]
    public void Beside_copies_in_memory_the_store_waits_for_the_longest_automatic_interval()
    {
        var turns = new SaveTurns(default, nodes: 10_000);
        turns.Costs(TimeSpan.FromSeconds(1));
        var spec = Spec(BusyUpload.Wait) with { Every = new() };
        Assert.Equal(SaveKind.Store, turns.Next(new(1, TimeSpan.FromMinutes(2)), spec, _ => true));
        var both = spec with { Memory = new() };
        Assert.Equal(SaveKind.Memory, turns.Next(new(1, TimeSpan.FromMinutes(2)), both, _ => true));
        Assert.Equal(SaveKind.Store, turns.Next(new(1, SaveSchedule.AutoAtMost), both, _ => true));
    }

    [Fact]
    public void The_automatic_interval_is_not_shorter_than_an_upload()
    {
        var spec = Spec(BusyUpload.Wait) with { Every = new() };
        _turns.Costs(TimeSpan.FromMilliseconds(0.1));
        Assert.Equal([6L], Run(1, 6, spec));   // a minute
        _turns.Uploaded(TimeSpan.FromMinutes(3));
        Assert.Equal([24L], Run(7, 24, spec));
    }

    [Fact]
    public void A_run_that_has_measured_no_save_makes_its_first_after_a_minute()
    {
        var spec = Spec(BusyUpload.Wait) with { Every = new() };
        Assert.Equal([6L], Run(1, 6, spec));
        _turns.Costs(TimeSpan.FromSeconds(0.002));   // nodes: 1, so 147 s
        Assert.Equal([21L], Run(7, 21, spec));
    }

    [Fact]
    public void The_automatic_interval_follows_the_measured_rate_of_failures()
    {
        Assert.Equal(TimeSpan.FromDays(0.5), SaveSchedule.BetweenFailures(124, null));
        Assert.Equal(TimeSpan.FromDays(0.25), SaveSchedule.BetweenFailures(4, 1));
        Assert.Equal([7L, 14], Every(20));        // sqrt(2 x 1 s x 43200 s / 20) = 66 s
        Assert.Equal([15L], Every(20d / 4.6));    // 141 s: fewer failures, fewer saves

        List<long> Every(double factor)
        {
            var turns = new SaveTurns(default, nodes: 124, nodeFailuresPerDay: 2 * factor / 124);
            turns.Costs(TimeSpan.FromSeconds(1));
            return Run(1, 20, Spec(BusyUpload.Wait) with { Every = new() }, turns);
        }
    }

    /// <summary>The real session on a clock that only the test moves: uploads that never end, and one that ends late.</summary>
    [Fact]
    public async Task An_upload_is_given_up_after_its_time_and_the_late_snapshot_is_of_the_step_it_is_made_at()
    {
        var time = new VirtualTime();
        using var directory = new TestDirectory();
        var store = directory.Open();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, default);
        var held = new HeldStore(store, new TaskCompletionSource().Task, times: 1);
        var spec = TestRun.Spec() with { Every = new() { Steps = 2 }, Upload = new() { AtMost = TimeSpan.FromSeconds(45) } };
        await using var run = TestRun.Start(store, 1, TestModel.World(2, 1, step: 1), spec, storeOf: rank => rank == 1 ? held : store, time: time);
        List<long> saved = [];
        for (var step = 1; step <= 9; step++)
        {
            foreach (var rank in run.Ranks) rank.State.ForEach(s => Array.Fill(s.Values, step));
            if (_turns.Next(At(step), spec, run.Sessions[0].IsReady) is { } kind)
            {
                saved.Add(step);
                _turns.Begun(kind, At(step));
                foreach (var session in run.Sessions) session.Save(TestRun.State(step), kind);
                if (step == 2) await held.Held;
                else await run.Sessions[0].WaitUntilSavedAsync(default);
            }

            await time.AdvanceAsync(StepTime, () => Task.CompletedTask);
            if (step == 6) await run.Sessions[0].WaitUntilSavedAsync(default);   // 50 s after the save of step 2: it ends by its deadline
        }

        Assert.Equal([2L, 7, 8], saved);
        Assert.Equal((0, 1), (_turns.SkippedSaves, _turns.LateSaves));
        Assert.True(run.Sessions[0].TryTakeOutcome(out var given));
        Assert.Equal((2L, false, "not every rank was done after 0.75 minutes"), (given.Step, given.Committed, given.Error));
        var checkpoints = (await log.ReadAsync(default)).Checkpoints.Values;
        Assert.Equal([7L, 8], checkpoints.Select(c => c.Commit.Step));
        await using var loader = TestRun.Start(store, 1, TestModel.World(2, 1, step: null));
        await loader.RestoreAsync(checkpoints.First().ToSummary());
        Assert.All(loader.Ranks, rank => rank.State.ForEach(s => Assert.All(s.Values, v => Assert.Equal(7, v))));
    }

    private static CheckpointSpec Spec(BusyUpload policy) => TestRun.Spec() with { Every = new() { Steps = 2 }, Upload = new() { WhenBusy = policy } };

    /// <summary>Steps from first to last; those that were saved, of either kind.</summary>
    private List<long> Run(long first, long last, CheckpointSpec? spec = null, SaveTurns? turns = null)
    {
        turns ??= _turns;
        List<long> saved = [];
        for (var step = first; step <= last; step++)
        {
            if (turns.Next(At(step), spec ?? Spec(BusyUpload.Wait), kind => kind == SaveKind.Store ? !_busy : !_memoryBusy) is not { } kind) continue;
            turns.Begun(kind, At(step));
            saved.Add(step);
        }

        return saved;
    }

    private static SavePoint At(long step) => new(step, step * StepTime);
}
