using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Checkpoints in the memory of the nodes alone. Rank 0 and rank 1 live on nodes a and b, each the other's partner.</summary>
public sealed class MemoryCheckpointTests : TwoNodes
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task It_survives_the_loss_of_one_node_for_any_world_size_and_none_of_its_objects_is_in_theStore(int ranks)
    {
        await SaveAsync((4, SaveKind.Store), (5, SaveKind.Memory));
        var summary = await NewestAsync();
        Assert.Equal((5L, false), (summary.Step, summary.IsDurable));
        Assert.Equal([CheckpointTier.Node, CheckpointTier.Peer], summary.Tiers);
        Assert.Empty(Directory.GetFiles(Path.Combine(Folder.Path, summary.Path), "rank-*"));
        Assert.NotEmpty(Directory.GetFiles(Folder.Path, "rank-*", SearchOption.AllDirectories));   // step 4's

        B.Wipe();
        await using var run = Start(ranks);
        var restored = await run.RestoreAllAsync(summary with { Tiers = null });   // the log says where it lies
        Assert.All(restored, r => Assert.Equal((5L, 0), (r.Checkpoint.Step, r.Skipped.Count)));
        Assert.True(run.Holds(5, dataParallel: ranks));
    }

    [Fact]
    public async Task With_both_holders_lost_all_ranks_fall_back_to_theStore_and_nobody_chooses_it_again()
    {
        await SaveAsync((4, SaveKind.Store), (5, SaveKind.Memory));
        var summary = await NewestAsync();
        A.Wipe();
        B.Wipe();
        await using (var run = Start(2))
        {
            var restored = await run.RestoreAllAsync(summary);
            Assert.All(restored, r => Assert.Equal(4, r.Checkpoint.Step));
            Assert.Contains("lay in memory alone", Assert.Single(restored[0].Skipped).Reason, StringComparison.Ordinal);
            Assert.True(run.Holds(4, dataParallel: 2));
        }

        Assert.Equal([4L], (await Log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step));
        Assert.False(Directory.Exists(Path.Combine(Folder.Path, summary.Path)));
    }

    [Fact]
    public async Task A_run_that_went_on_from_memory_still_descends_from_theStores_checkpoints()
    {
        await SaveAsync((4, SaveKind.Store), (5, SaveKind.Memory));
        await Log.FenceAsync(2, adopt: false, default);
        await using (var run = Start(2, epoch: 2))
        {
            await run.RestoreAllAsync(await NewestAsync());
            Assert.True((await run.SaveAsync(6)).Committed);
        }

        var state = await Log.ReadAsync(default);
        Assert.Equal([6L, 4L], state.Ancestry(state.Checkpoints.Values.Last().Entry).Where(c => !c.Commit.InMemory).Select(c => c.Commit.Step));
    }

    [Fact]
    public async Task Two_are_kept_and_they_count_for_nothing_that_retention_promises()
    {
        var spec = TestRun.Spec(last: 1, afterSteps: 1);
        await using (var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 1), spec, nearby: Nearby))
        {
            for (var step = 1; step <= 3; step++)
            {
                Assert.True((await run.SaveAsync(step)).Committed);
                run.Sessions[0].Observe(TestRun.Record(step + 1));
            }

            for (var step = 4; step <= 9; step++) Assert.True((await run.SaveAsync(step, SaveKind.Memory)).Committed);
            run.Sessions[0].Observe(TestRun.Record(20));
        }

        var state = await Log.ReadAsync(default);
        Assert.Equal([2L, 3L], state.Healthy.Select(c => c.Commit.Step));
        Assert.Equal([8L, 9L], state.Checkpoints.Values.Where(c => c.Commit.InMemory).Select(c => c.Commit.Step));
        Assert.Equal(4, Directory.GetDirectories(Path.Combine(Folder.Path, "checkpoints")).Length);
        Assert.Equal(2, A.Copies.List().Count(c => c.Name.EndsWith("rank-00000.safetensors", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Saves_that_come_to_nothing_do_not_displace_it()
    {
        var down = false;
        await using (var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 5), storeOf: _ => new FaultyStore(Store, (verb, _) => down && verb is "write" or "create" ? Fault.Full : Fault.None), nearby: Nearby))
        {
            Assert.True((await run.SaveAsync(5, SaveKind.Memory)).Committed);
            down = true;
            for (var step = 6; step <= 9; step++) Assert.False((await run.SaveAsync(step, step % 2 == 0 ? SaveKind.Memory : SaveKind.Store)).Committed);
        }

        A.Wipe();
        await using var loader = Start(2);
        Assert.Equal(5, (await loader.RestoreAsync(await NewestAsync())).Checkpoint.Step);
    }

    [Fact]
    public async Task It_waits_for_no_upload_and_an_upload_not_for_it()
    {
        var gate = new TaskCompletionSource();
        await using var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 5), storeOf: rank => rank == 1 ? new HeldStore(Store, gate.Task) : Store, nearby: Nearby);
        foreach (var session in run.Sessions) session.Save(TestRun.State(5));
        foreach (var session in run.Sessions) session.Save(TestRun.State(6), SaveKind.Memory);
        while (!run.Sessions[0].IsReady(SaveKind.Memory)) await Task.Yield();
        Assert.False(run.Sessions[0].IsReady(SaveKind.Store));
        Assert.Equal([6L], (await Log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step));

        gate.SetResult();
        await Task.WhenAll(run.Sessions.Select(s => s.WaitUntilSavedAsync(default)));
        Assert.Equal([6L, 5L], (await Log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step));
    }

    [Fact]
    public async Task A_copy_of_a_later_step_outlives_an_upload_that_is_done_after_it_and_is_restored()
    {
        var gate = new TaskCompletionSource();
        await using (var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 7), storeOf: rank => rank == 1 ? new HeldStore(Store, gate.Task, times: 1) : Store, nearby: Nearby))
        {
            foreach (var session in run.Sessions) session.Save(TestRun.State(5));
            foreach (var step in new[] { 6, 7 })
            {
                foreach (var session in run.Sessions) session.Save(TestRun.State(step), SaveKind.Memory);
                while (!run.Sessions.All(s => s.IsReady(SaveKind.Memory))) await Task.Yield();
            }

            gate.SetResult();
            await Task.WhenAll(run.Sessions.Select(s => s.WaitUntilSavedAsync(default)));
            // The next copies come to nothing on one rank: what they displaced on the other must not be the newest that is whole.
            run.Sessions[0].Save(TestRun.State(8), SaveKind.Memory);
            while (!Directory.EnumerateDirectories(Path.Combine(A.Folder.Path, "checkpoints")).Any(d => d.Contains("step-000000008-", StringComparison.Ordinal))) await Task.Yield();
        }

        var state = await Log.ReadAsync(default);
        Assert.Equal([5L, 6, 7], state.Checkpoints.Values.Select(c => c.Commit.Step).Order());
        Assert.Equal(7, state.NewestFirst.First().Commit.Step);
        await using var loader = Start(2);
        Assert.Equal(7, (await loader.RestoreAsync(state.NewestFirst.First().ToSummary())).Checkpoint.Step);
        Assert.True(loader.Holds(7, 2));
    }

    [Fact]
    public async Task A_save_that_no_node_has_room_for_fails_and_the_run_goes_on()
    {
        var full = Path.Combine(A.Folder.Path, "not-a-folder");
        await File.WriteAllTextAsync(full, "");
        await using var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 5), nearby: rank => rank == 0 ? [new NodeCopies([full])] : [B.Copies]);
        var outcome = await run.SaveAsync(5, SaveKind.Memory);
        Assert.Equal((false, SaveKind.Memory), (outcome.Committed, outcome.Kind));
        Assert.Contains("has room", outcome.Error, StringComparison.Ordinal);
        Assert.True((await run.SaveAsync(6)).Committed);
        Assert.Equal([6L], (await Log.ReadAsync(default)).Checkpoints.Values.Select(c => c.Commit.Step));
    }

    [Fact]
    public async Task It_cannot_be_pinned_and_a_worker_without_an_agent_makes_none()
    {
        await SaveAsync((5, SaveKind.Memory));
        var summary = await NewestAsync();
        var error = await Assert.ThrowsAsync<CheckpointException>(() => Log.AppendAsync(s => CheckpointMarks.Pin(s, new() { Entry = summary.Entry, ManifestDigest = summary.ManifestDigest }, true), default));
        Assert.Contains("in the memory of the nodes alone", error.Message, StringComparison.Ordinal);
        await using var alone = TestRun.Start(Store, 1, TestModel.World(1, 1, 5));
        Assert.False(alone.Sessions[0].IsReady(SaveKind.Memory));
    }

    private TestRun Start(int ranks, long epoch = 1) => TestRun.Start(Store, epoch, TestModel.World(ranks, 1, step: null), nearby: Nearby);

    private async Task SaveAsync(params (long Step, SaveKind Kind)[] saves)
    {
        foreach (var (step, kind) in saves)
        {
            await using var run = TestRun.Start(Store, 1, TestModel.World(2, 1, step), nearby: Nearby);
            Assert.Null((await run.SaveAsync(step, kind)).Error);
        }
    }

    private async Task<CheckpointSummary> NewestAsync() => (await Log.ReadAsync(default)).ToCatalogue().Checkpoints[^1];
}
