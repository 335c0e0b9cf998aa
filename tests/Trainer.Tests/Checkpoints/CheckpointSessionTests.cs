using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Reports;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public sealed class CheckpointSessionTests : IAsyncLifetime
{
    private readonly TestDirectory _directory = new();
    private DirectoryStore _store = null!;
    private CommitLog _log = null!;

    public async ValueTask InitializeAsync()
    {
        _store = _directory.Open();
        _log = TestRun.Log(_store);
        await _log.FenceAsync(1, adopt: false, default);
    }

    public ValueTask DisposeAsync()
    {
        _log.Dispose();
        _directory.Dispose();
        return default;
    }

    [Fact]
    public async Task A_save_is_a_copy_of_the_moment_it_was_called_in()
    {
        await using var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: 5));
        foreach (var session in run.Sessions) session.Save(TestRun.State(5));
        foreach (var rank in run.Ranks) rank.State.ForEach(s => Array.Fill(s.Values, -1));   // training goes on meanwhile
        await Task.WhenAll(run.Sessions.Select(s => s.WaitUntilSavedAsync(default)));

        await AssertRestoresAsync(await NewestAsync(), step: 5, epoch: 1);
    }

    [Fact]
    public async Task Only_the_commit_makes_a_checkpoint_visible()
    {
        var gate = new TaskCompletionSource();
        await using var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: 5), storeOf: rank => rank == 1 ? new HeldStore(_store, gate.Task) : _store);
        foreach (var session in run.Sessions) session.Save(TestRun.State(5));
        while (Directory.GetFiles(_directory.Path, "rank-00000.safetensors", SearchOption.AllDirectories).Length == 0) await Task.Yield();
        Assert.Empty((await _log.ReadAsync(default)).Checkpoints);
        Assert.False(run.Sessions[0].IsReady(SaveKind.Store));

        gate.SetResult();
        await Task.WhenAll(run.Sessions.Select(s => s.WaitUntilSavedAsync(default)));
        Assert.Single((await _log.ReadAsync(default)).Checkpoints);
        Assert.True(run.Sessions[0].IsReady(SaveKind.Store));
    }

    [Fact]
    public async Task A_rank_that_cannot_write_spoils_the_save_but_not_the_run_and_its_leavings_are_removed()
    {
        var full = true;
        await using var run = TestRun.Start(_store, 1, TestModel.World(3, 1, step: 5),
            storeOf: rank => rank == 2 ? new FaultyStore(_store, (verb, _) => verb == "write" && full ? Fault.Full : Fault.None) : _store);
        var failed = await run.SaveAsync(5);
        Assert.False(failed.Committed);
        Assert.Contains("rank 2: write", failed.Error, StringComparison.Ordinal);
        Assert.Contains("no space left", failed.Error, StringComparison.Ordinal);
        await EventuallyAsync(() => !Directory.Exists(Path.Combine(_directory.Path, CheckpointNames.Folder(5, 8, 1))));

        full = false;
        Assert.True((await run.SaveAsync(6)).Committed);
        Assert.Equal(6, (await NewestAsync()).Step);
    }

    [Fact]
    public async Task After_a_newer_fence_the_save_is_refused_and_the_next_call_says_so()
    {
        await using var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: 5));
        await _log.FenceAsync(2, adopt: false, default);
        var outcome = await run.SaveAsync(5);
        Assert.False(outcome.Committed);
        Assert.Contains("fenced at epoch 2", outcome.Error, StringComparison.Ordinal);
        Assert.Throws<StoreFencedException>(() => run.Sessions[0].Save(TestRun.State(6)));
        Assert.Empty((await _log.ReadAsync(default)).Checkpoints);
    }

    [Theory]
    [InlineData("rank-00001.safetensors")]
    [InlineData("manifest.json")]
    [InlineData("slices.json.gz")]
    public async Task A_damaged_checkpoint_is_passed_over_by_all_ranks_with_the_reason(string file)
    {
        await SaveAsync(5);
        await SaveAsync(6);
        var newest = await NewestAsync();
        Damage(Path.Combine(_directory.Path, newest.Path, file));

        string reason;
        await using (var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: null)))
        {
            var restored = await run.RestoreAsync(newest);
            Assert.Equal(5, restored.Checkpoint.Step);
            var skipped = Assert.Single(restored.Skipped);
            Assert.Equal(6, skipped.Step);
            Assert.Contains(file, skipped.Reason, StringComparison.Ordinal);
            Assert.Contains("damaged", skipped.Reason, StringComparison.Ordinal);
            AssertState(run, step: 5);
            reason = skipped.Reason;
        }

        var told = Assert.Single(await RunHistory.LogbookAsync(_store, default));
        Assert.Equal((1L, 5L, "trainer", "passed over the checkpoint of step 6 and resumed from step 5", reason), (told.Epoch, told.Step, told.Actor, told.What, told.Why));
    }

    [Theory]
    [InlineData("rank-00000.safetensors")]
    [InlineData("manifest.json")]
    public async Task A_checkpoint_with_an_object_missing_is_passed_over(string file)
    {
        await SaveAsync(5);
        await SaveAsync(6);
        var newest = await NewestAsync();
        File.Delete(Path.Combine(_directory.Path, newest.Path, file));
        await using var run = TestRun.Start(_store, 1, TestModel.World(3, 1, step: null));
        Assert.Equal(5, (await run.RestoreAsync(newest)).Checkpoint.Step);
    }

    [Fact]
    public async Task When_no_checkpoint_can_be_restored_the_message_says_why_for_each()
    {
        await SaveAsync(5);
        await SaveAsync(6);
        foreach (var file in Directory.GetFiles(_directory.Path, "rank-00000.safetensors", SearchOption.AllDirectories)) Damage(file);
        await using var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: null));
        var error = await Assert.ThrowsAsync<CheckpointException>(async () => await run.RestoreAsync(await NewestAsync()));
        Assert.Contains("step 6: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("step 5: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_damaged_on_the_way_are_read_again()
    {
        await SaveAsync(5);
        var damaged = 0;
        var flaky = new FaultyStore(_store, (verb, name) => verb == "range" && name.EndsWith("rank-00000.safetensors", StringComparison.Ordinal) && damaged++ == 0 ? Fault.Damage : Fault.None);
        await using var run = TestRun.Start(flaky, 1, TestModel.World(1, 1, step: null));
        Assert.Empty((await run.RestoreAsync(await NewestAsync())).Skipped);
        AssertState(run, step: 5);
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_no_reason_to_fall_back()
    {
        await SaveAsync(5);
        await SaveAsync(6);
        await using var run = TestRun.Start(new FaultyStore(_store, (verb, _) => verb == "range" ? Fault.LostRequest : Fault.None), 1, TestModel.World(2, 1, step: null));
        var error = await Assert.ThrowsAsync<StoreException>(async () => await run.RestoreAsync(await NewestAsync()));
        Assert.Contains("connection reset", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_checkpoint_of_another_model_is_refused_with_the_sizes_that_differ()
    {
        await SaveAsync(5);
        await SaveAsync(6);
        await using var run = TestRun.Start(_store, 1, TestModel.World(1, 1, step: null), model: TestModel.Dimensions with { Layers = 12, HiddenSize = 768, Dropout = 0.5 });
        var error = await Assert.ThrowsAsync<OtherModelException>(async () => await run.RestoreAsync(await NewestAsync()));
        Assert.EndsWith("is of another model: layers is 2 there and 12 here, hiddenSize is 6 there and 768 here", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Good_steps_make_a_checkpoint_healthy_also_across_a_restart()
    {
        var spec = TestRun.Spec(afterSteps: 10);
        await using (var run = TestRun.Start(_store, 1, TestModel.World(1, 1, step: 5), spec))
        {
            await run.SaveAsync(5);
            for (var step = 6; step <= 12; step++) run.Sessions[0].Observe(TestRun.Record(step));
            await run.SaveAsync(12);
        }

        await _log.FenceAsync(2, adopt: false, default);
        await using (var run = TestRun.Start(_store, 2, TestModel.World(1, 1, step: null), spec))
        {
            Assert.Equal(12, (await run.RestoreAsync(await NewestAsync())).Checkpoint.Step);
            for (var step = 13; step <= 15; step++) run.Sessions[0].Observe(TestRun.Record(step));
        }

        var checkpoints = (await _log.ReadAsync(default)).Checkpoints.Values.ToArray();
        Assert.Equal([HealthVerdict.Healthy, HealthVerdict.Pending], checkpoints.Select(c => c.Verdict));
    }

    [Fact]
    public async Task Trends_are_recorded_with_a_save_hold_across_a_restart_and_the_verdict_is_revised()
    {
        var spec = TestRun.Spec(afterSteps: 10);
        await using (var run = TestRun.Start(_store, 1, TestModel.World(1, 1, step: 50), spec))
        {
            for (var step = 1; step <= 50; step++) run.Sessions[0].Observe(TestRun.Record(step));
            await run.SaveAsync(50);
        }

        var known = (await _log.ReadAsync(default)).Checkpoints.Values.Single();
        Assert.Equal((3.0, 3.0, ""), (known.Commit.Trends!.Loss.Usual, known.Commit.Trends.Loss.Now, known.Reason));

        // It restored something wrong: the loss stands higher at once, which no window of this run's own could tell.
        await _log.FenceAsync(2, adopt: false, default);
        await using (var run = TestRun.Start(_store, 2, TestModel.World(1, 1, step: null), spec))
        {
            await run.RestoreAsync(known.ToSummary());
            for (var step = 51; step <= 60; step++) run.Sessions[0].Observe(TestRun.Record(step, loss: 4));
            await run.SaveAsync(60);
        }

        var both = (await _log.ReadAsync(default)).Checkpoints.Values.ToArray();
        Assert.All(both, c => Assert.Equal(HealthVerdict.Pending, c.Verdict));
        Assert.All(both, c => Assert.Contains("the loss stands at 4", c.Reason, StringComparison.Ordinal));

        await _log.FenceAsync(3, adopt: false, default);
        await using (var run = TestRun.Start(_store, 3, TestModel.World(1, 1, step: null), spec))
        {
            await run.RestoreAsync(known.ToSummary());
            for (var step = 51; step <= 60; step++) run.Sessions[0].Observe(TestRun.Record(step));
        }

        var revised = (await _log.ReadAsync(default)).Checkpoints[known.Entry];
        Assert.Equal((HealthVerdict.Healthy, "good steps up to 60"), (revised.Verdict, revised.Reason));
    }

    [Fact]
    public async Task Retention_removes_what_it_may_and_what_earlier_epochs_left_torn_and_nothing_else()
    {
        var foreign = Path.Combine(_directory.Path, "checkpoints", "my-notes.txt");
        var torn = CheckpointNames.Folder(3, 3, 0);
        await _store.WriteAsync($"{torn}/rank-00000.safetensors", new MemoryContent(new byte[10]), default);
        await File.WriteAllTextAsync(foreign, "keep me");
        await using (var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: 1), TestRun.Spec(last: 2)))
        {
            for (var step = 1; step <= 5; step++) Assert.True((await run.SaveAsync(step)).Committed);
        }

        Assert.Equal([4L, 5L], (await _log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step));
        Assert.Equal(2, Directory.GetDirectories(Path.Combine(_directory.Path, "checkpoints")).Length);
        Assert.True(File.Exists(foreign));
    }

    [Fact]
    public async Task A_save_abandoned_by_rank_0_gives_way_to_the_next()
    {
        // Rank 1's first upload never ends; the next Save cancels it and takes its memory.
        var held = new HeldStore(_store, Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, TestContext.Current.CancellationToken), times: 1);
        await using var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step: 5), storeOf: rank => rank == 1 ? held : _store);
        foreach (var session in run.Sessions) session.Save(TestRun.State(5));
        await held.Held;
        foreach (var session in run.Sessions) session.Save(TestRun.State(6));
        await Task.WhenAll(run.Sessions.Select(s => s.WaitUntilSavedAsync(default)));
        Assert.Equal([6L], (await _log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step));
    }

    private async Task SaveAsync(long step)
    {
        await using var run = TestRun.Start(_store, 1, TestModel.World(2, 1, step));
        Assert.Null((await run.SaveAsync(step)).Error);
    }

    private async Task<CheckpointSummary> NewestAsync() => (await _log.ReadAsync(default)).ToCatalogue().Checkpoints[^1];

    private async Task AssertRestoresAsync(CheckpointSummary summary, long step, long epoch)
    {
        await using var run = TestRun.Start(_store, epoch, TestModel.World(2, 1, step: null));
        Assert.Empty((await run.RestoreAsync(summary)).Skipped);
        AssertState(run, step);
    }

    private static void AssertState(TestRun run, long step)
    {
        var expected = TestModel.World(run.Ranks.Length, 1, step);
        Assert.All(run.Ranks.Zip(expected), pair => Assert.True(pair.First.HasSameStateAs(pair.Second)));
    }

    private static void Damage(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        for (var i = 0; i < 12_000 && !condition(); i++) await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        Assert.True(condition());
    }
}
