using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public abstract class CommitLogContract
{
    protected abstract Task<ICheckpointStore> OpenAsync();

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_entry_is_read_by_everyone_in_the_same_order()
    {
        var store = await OpenAsync();
        using var first = TestRun.Log(store);
        using var second = TestRun.Log(store);
        await first.FenceAsync(1, adopt: false, Ct);
        await CommitAsync(second, 1, step: 10);
        await CommitAsync(first, 1, step: 20);

        var seen = await second.ReadAsync(Ct);
        Assert.Equal((3L, 1L, TestRun.JobUid), (seen.Entry, seen.FencedEpoch, seen.JobUid));
        Assert.Equal([10L, 20L], seen.Checkpoints.Values.Select(c => c.Commit.Step));
    }

    [Fact]
    public async Task Nothing_of_an_older_epoch_commits_after_a_newer_fence()
    {
        var store = await OpenAsync();
        using var old = TestRun.Log(store);
        using var young = TestRun.Log(store);
        await old.FenceAsync(1, adopt: false, Ct);
        await CommitAsync(old, 1, step: 10);
        await young.FenceAsync(2, adopt: false, Ct);

        var error = await Assert.ThrowsAsync<StoreFencedException>(() => CommitAsync(old, 1, step: 20));
        Assert.Equal("the store is fenced at epoch 2; epoch 1 may not write to it any more", error.Message);
        Assert.Equal([10L], (await young.ReadAsync(Ct)).Checkpoints.Values.Select(c => c.Commit.Step));
        await Assert.ThrowsAsync<StoreFencedException>(() => old.FenceAsync(1, adopt: false, Ct));
    }

    /// <summary>Two writers as fast as they can, and a fence in the middle: whatever the old one still got in lies before the fence.</summary>
    [Fact]
    public async Task Two_epochs_racing_leave_no_commit_of_the_older_one_behind_the_fence()
    {
        for (var round = 0; round < 5; round++)
        {
            var store = await OpenAsync();
            using var old = TestRun.Log(store);
            using var young = TestRun.Log(store);
            await old.FenceAsync(1, adopt: false, Ct);
            var race = Task.Run(async () =>
            {
                for (var step = 1; ; step++)
                {
                    try
                    {
                        await CommitAsync(old, 1, step);
                    }
                    catch (StoreFencedException)
                    {
                        return;
                    }
                }
            }, Ct);
            while ((await young.ReadAsync(Ct)).Entry < 3 + round) await Task.Yield();
            await young.FenceAsync(2, adopt: false, Ct);
            await CommitAsync(young, 2, step: 1000);
            await race;

            var entries = await EntriesAsync(store);
            var fence = entries.FindIndex(e => e.Kind == LogEntryKind.Fence && e.Epoch == 2);
            Assert.True(fence > 0);
            Assert.All(entries.Skip(fence), e => Assert.Equal(2, e.Epoch));
            Assert.Equal(entries.Count(e => e.Kind == LogEntryKind.Commit), (await young.ReadAsync(Ct)).Checkpoints.Count);
        }
    }

    [Fact]
    public async Task A_store_of_another_job_is_refused_unless_it_is_adopted()
    {
        var store = await OpenAsync();
        using var first = TestRun.Log(store);
        await first.FenceAsync(5, adopt: false, Ct);
        await CommitAsync(first, 5, step: 10);

        using var second = TestRun.Log(store, uid: "other");
        var error = await Assert.ThrowsAsync<StoreFencedException>(() => second.FenceAsync(6, adopt: false, Ct));
        Assert.Contains($"belongs to the job with UID {TestRun.JobUid}, not to other; set checkpoint.adopt: true", error.Message, StringComparison.Ordinal);
        Assert.Contains("fenced at epoch 5", (await Assert.ThrowsAsync<StoreFencedException>(() => second.FenceAsync(1, adopt: true, Ct))).Message, StringComparison.Ordinal);

        var adopted = await second.FenceAsync(6, adopt: true, Ct);
        Assert.Equal(("other", 6L, 1), (adopted.JobUid, adopted.FencedEpoch, adopted.Checkpoints.Count));
        await Assert.ThrowsAsync<StoreFencedException>(() => CommitAsync(first, 6, step: 20));
    }

    [Fact]
    public async Task A_fence_that_is_there_already_is_not_written_twice()
    {
        var store = await OpenAsync();
        using var first = TestRun.Log(store);
        using var second = TestRun.Log(store);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => (i % 2 == 0 ? first : second).FenceAsync(3, adopt: false, Ct)));
        Assert.Equal(1, (await first.ReadAsync(Ct)).Entry);
    }

    [Fact]
    public async Task A_long_log_is_read_from_its_newest_snapshot_and_says_the_same_without_it()
    {
        var store = await OpenAsync();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, Ct);
        for (var step = 1; step <= 70; step++)
        {
            var committed = await CommitAsync(log, 1, step);
            if (step % 10 == 0) await log.AppendAsync(_ => CommitLog.Entry(LogEntryKind.Verdict, 1) with { Verdict = new() { Checkpoint = committed.Entry, Verdict = HealthVerdict.Healthy, Reason = "test" } }, Ct);
            if (step % 7 == 0) await log.AppendAsync(s => CommitLog.Entry(LogEntryKind.Retire, 1) with { Retire = new() { Checkpoint = s.Checkpoints.Keys.First(k => s.Checkpoints[k].Verdict == HealthVerdict.Pending), Reason = "test" } }, Ct);
        }

        var reads = 0;
        using var reader = TestRun.Log(new FaultyStore(store, (verb, name) =>
        {
            if (verb == "read" && !name.Contains("snapshots", StringComparison.Ordinal)) Interlocked.Increment(ref reads);
            return Fault.None;
        }));
        var bySnapshot = await reader.ReadAsync(Ct);
        Assert.InRange(reads, 1, 48);
        await foreach (var snapshot in store.ListAsync("log/snapshots/", Ct)) await store.DeleteAsync(snapshot.Name, Ct);
        using var replayer = TestRun.Log(store);
        var byReplay = await replayer.ReadAsync(Ct);

        Assert.Equal(byReplay.ToCatalogue(), bySnapshot.ToCatalogue());
        Assert.Equal(byReplay.Retired, bySnapshot.Retired);
        Assert.Equal(60, byReplay.Checkpoints.Count);
    }

    [Fact]
    public async Task An_entry_whose_answer_was_lost_counts_once()
    {
        var store = await OpenAsync();
        var lose = true;
        using var log = TestRun.Log(new FaultyStore(store, (verb, _) => verb == "create" && lose ? Fault.LostAnswer : Fault.None));
        await log.FenceAsync(1, adopt: false, Ct);
        await CommitAsync(log, 1, step: 10);
        lose = false;
        Assert.Equal(2, (await log.ReadAsync(Ct)).Entry);
    }

    [Fact]
    public async Task An_entry_whose_request_was_lost_is_reported_and_does_not_exist()
    {
        var store = await OpenAsync();
        using var log = TestRun.Log(new FaultyStore(store, (verb, name) => verb == "create" && name.EndsWith("2.json", StringComparison.Ordinal) ? Fault.LostRequest : Fault.None));
        await log.FenceAsync(1, adopt: false, Ct);
        await Assert.ThrowsAsync<StoreException>(() => CommitAsync(log, 1, step: 10));
        Assert.Empty((await log.ReadAsync(Ct)).Checkpoints);
    }

    /// <summary>Small limits, so that a few entries are a long log.</summary>
    private static readonly LogLimits Short = new() { SnapshotEvery = 4, Margin = 4, ArchiveEntries = 8 };

    [Fact]
    public async Task A_compacted_log_says_the_same_from_snapshots_and_from_archives()
    {
        var store = await OpenAsync();
        using var log = TestRun.Log(store, limits: Short);
        await log.FenceAsync(1, adopt: false, Ct);
        for (var step = 2; step <= 30; step++) await CommitAsync(log, 1, step);
        var before = await log.ReadAsync(Ct);
        var compactor = new LogCompactor(log.Files);
        Assert.Equal(16, await compactor.RunAsync(Ct));   // the last snapshot but one is of 24: two archives of 8 lie 4 below it
        Assert.Equal(0, await compactor.RunAsync(Ct));
        Assert.Equal(Enumerable.Range(17, 14).Select(n => (long)n), await log.Files.EntriesAsync(Ct));

        using var reader = TestRun.Log(store, limits: Short);
        Assert.Equal(before.ToCatalogue(), (await reader.ReadAsync(Ct)).ToCatalogue());
        foreach (var number in await log.Files.SnapshotsAsync(Ct)) await store.WriteAsync(LogFiles.SnapshotNameOf(number), new MemoryContent("{}"u8.ToArray()), Ct);
        using var replayer = TestRun.Log(store, limits: Short);
        Assert.Equal(before.ToCatalogue(), (await replayer.ReadAsync(Ct)).ToCatalogue());
    }

    [Fact]
    public async Task A_writer_that_slept_through_a_compaction_cannot_hide_an_entry_in_the_hole()
    {
        var store = await OpenAsync();
        using var sleeper = TestRun.Log(store, limits: Short);
        await sleeper.FenceAsync(1, adopt: false, Ct);
        await CommitAsync(sleeper, 1, step: 2);
        using var other = TestRun.Log(store, limits: Short);
        var slept = false;
        async Task OvertakeAsync()
        {
            slept = true;
            await other.FenceAsync(2, adopt: false, Ct);
            for (var step = 4; step <= 30; step++) await CommitAsync(other, 2, step);
            Assert.Equal(16, await new LogCompactor(other.Files).RunAsync(Ct));
        }

        // It is paused between reading to the end and creating entry 3, which is deleted by the time it wakes.
        using var paused = TestRun.Log(new PausedStore(store, name => name == LogFiles.NameOf(3) && !slept ? OvertakeAsync() : Task.CompletedTask), limits: Short);
        await Assert.ThrowsAsync<StoreFencedException>(() => CommitAsync(paused, 1, step: 3));
        Assert.True(slept);
        Assert.DoesNotContain((await other.ReadAsync(Ct)).Checkpoints.Values, c => c.Commit.Step == 3);
        await Assert.ThrowsAsync<StoreFencedException>(() => CommitAsync(sleeper, 1, step: 3));   // nor does another one believe what lies in the hole
        Assert.Equal(1, await new LogCompactor(other.Files).RunAsync(Ct));   // which the next run removes
    }

    [Fact]
    public async Task A_hole_with_entries_close_behind_it_and_a_sleepers_entry_in_it_is_not_taken_for_the_end()
    {
        var limits = new LogLimits { SnapshotEvery = 4, Margin = 4, ArchiveEntries = 4 };
        var store = await OpenAsync();
        using var writer = TestRun.Log(store, limits: limits);
        using var sleeper = TestRun.Log(store, limits: limits);
        await writer.FenceAsync(1, adopt: false, Ct);
        for (var step = 2; step <= 4; step++) await CommitAsync(writer, 1, step);
        await sleeper.ReadAsync(Ct);
        for (var step = 5; step <= 17; step++) await CommitAsync(writer, 1, step);
        Assert.Equal(8, await new LogCompactor(writer.Files).RunAsync(Ct));
        await sleeper.Files.TryCreateAsync((await writer.Files.ReadEntryAsync(17, Ct))! with { Number = 5 }, Ct);
        Assert.Equal((await writer.ReadAsync(Ct)).ToCatalogue(), (await sleeper.ReadAsync(Ct).WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, Ct)).ToCatalogue());
    }

    [Fact]
    public async Task A_reader_that_slept_through_a_compaction_sees_the_end_of_the_log()
    {
        var store = await OpenAsync();
        using var sleeper = TestRun.Log(store, limits: Short);
        using var writer = TestRun.Log(store, limits: Short);
        await sleeper.FenceAsync(1, adopt: false, Ct);
        for (var step = 2; step <= 30; step++) await CommitAsync(writer, 1, step);
        await new LogCompactor(writer.Files).RunAsync(Ct);
        Assert.Equal((await writer.ReadAsync(Ct)).ToCatalogue(), (await sleeper.ReadAsync(Ct)).ToCatalogue());
    }

    [Fact(Timeout = 60_000)]
    public async Task A_reader_overtaken_by_a_compaction_while_it_reads_ahead_sees_the_end_of_the_log()
    {
        var store = await OpenAsync();
        using var writer = TestRun.Log(store, limits: Short);
        await writer.FenceAsync(1, adopt: false, Ct);
        for (var step = 2; step <= 8; step++) await CommitAsync(writer, 1, step);
        var overtaken = false;
        async Task OvertakeAsync()
        {
            overtaken = true;
            for (var step = 10; step <= 30; step++) await CommitAsync(writer, 1, step);
            Assert.Equal(16, await new LogCompactor(writer.Files).RunAsync(Ct));
        }

        // It knows 8 entries and has read the ninth; of the next eight, all but the last are gone when it reads them.
        using var reader = TestRun.Log(new PausedStore(store, beforeRead: name => name == LogFiles.NameOf(10) && !overtaken ? OvertakeAsync() : Task.CompletedTask), limits: Short);
        await reader.ReadAsync(Ct);
        await CommitAsync(writer, 1, step: 9);
        Assert.Equal((await reader.ReadAsync(Ct)).Entry, (await writer.ReadAsync(Ct)).Entry);
        Assert.True(overtaken);
    }

    protected static async Task<KnownCheckpoint> CommitAsync(CommitLog log, long epoch, long step)
    {
        var commit = new CommitEntry { Step = step, Attempt = step, Samples = step, Tokens = step, Path = CheckpointNames.Folder(step, step, epoch), ManifestDigest = "d", Bytes = 1, Parent = 0 };
        var state = await log.AppendAsync(_ => CommitLog.Entry(LogEntryKind.Commit, epoch) with { Commit = commit }, Ct);
        return state.Checkpoints.Values.Single(c => c.Commit == commit);
    }

    private static async Task<List<LogEntry>> EntriesAsync(ICheckpointStore store)
    {
        var entries = new List<LogEntry>();
        var files = new LogFiles(store, LogLimits.Default);
        for (var n = 1; await files.ReadEntryAsync(n, Ct) is { } entry; n++) entries.Add(entry);
        return entries;
    }
}

public sealed class DirectoryCommitLogTests : CommitLogContract, IDisposable
{
    private readonly List<TestDirectory> _directories = [];

    protected override Task<ICheckpointStore> OpenAsync()
    {
        _directories.Add(new());
        return Task.FromResult<ICheckpointStore>(_directories[^1].Open());
    }

    public void Dispose() => _directories.ForEach(d => d.Dispose());

    [Fact]
    public async Task A_damaged_entry_is_named()
    {
        var store = await OpenAsync();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, Ct);
        await File.WriteAllTextAsync(Path.Combine(_directories[0].Path, "log", "000000000002.json"), "{", Ct);
        Assert.Contains("000000000002.json of the commit log is damaged", (await Assert.ThrowsAsync<CheckpointException>(() => log.ReadAsync(Ct))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_entry_with_one_digit_changed_is_noticed()
    {
        var store = await OpenAsync();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, Ct);
        var file = Path.Combine(_directories[0].Path, "log", "000000000001.json");
        await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file, Ct)).Replace("\"epoch\":1", "\"epoch\":7", StringComparison.Ordinal), Ct);
        using var reader = TestRun.Log(store);
        Assert.Contains("its SHA-256 is not the one at its end", (await Assert.ThrowsAsync<CheckpointException>(() => reader.ReadAsync(Ct))).Message, StringComparison.Ordinal);
    }
}

public sealed class AzureCommitLogTests(Azurite azurite) : CommitLogContract
{
    protected override Task<ICheckpointStore> OpenAsync() => azurite.OpenStoreAsync();
}
