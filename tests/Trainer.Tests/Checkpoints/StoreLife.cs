using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>
/// One seeded life of a store: several epochs, each restoring, saving to the store or to the nodes' memory, observing, pruning and compacting, with wrong
/// clocks and faults on any request, nodes lost in between, some overtaken by the next while they still write. In the end the promises must hold.
/// </summary>
/// <param name="store">For looking at the store: without faults.</param>
/// <param name="faulty">What the runs of an epoch see, by rank.</param>
/// <param name="tally">Counts what happens.</param>
internal sealed class StoreLife(int seed, ICheckpointStore store, Func<Func<int, ICheckpointStore>> faulty, Tally tally) : IDisposable
{
    private const string ClockAhead = "clock ahead", ClockBehind = "clock behind", NodeLost = "node lost", Race = "two epochs saving at once", Fenced = "save of an overtaken epoch refused", Torn = "save failed",
        Fallback = "fallback from a lost checkpoint", ForeignJob = "new job refused on the old store", Adopted = "new job that adopts it", Resharded = "restored into another world";

    /// <summary>What must happen in a set of lives; some of it is too rare for a sample.</summary>
    public static string[] Events(bool all) =>
        [ClockAhead, ClockBehind, NodeLost, Race, Torn, ForeignJob, Adopted, "committed to Store", "committed to Memory", .. all ? (string[])[Fenced, Fallback, Resharded] : []];

    private const int Epochs = 4;
    private const string OtherJob = "99999999-8888-7777-6666-555555555555";
    private static readonly LogLimits Limits = new() { SnapshotEvery = 4, Margin = 8, ArchiveEntries = 4 };
    private static readonly string[] Foreign = ["checkpoints/notes.txt", "checkpoints/step-1/manifest.json", "checkpoints/step-000000001-attempt-000000001-epoch-000001/notes.txt", "other/data.bin", "log/readme.txt"];
    private readonly Random _random = new(seed);
    private readonly TestNodes _nodes = new();
    private readonly List<(long Epoch, TestRun Run)> _overtaken = [];
    private readonly SortedDictionary<long, LogEntry> _entries = [];
    private readonly long[] _lostAt = new long[TestNodes.Count];   // end of the log when the node was lost last
    private long _committed, _step;
    private int _world;

    public async Task RunAsync()
    {
        foreach (var name in Foreign) await store.WriteAsync(name, new MemoryContent("not ours"u8.ToArray()), default);
        for (var epoch = 1; epoch <= Epochs; epoch++) await LiveEpochAsync(epoch);
        foreach (var (epoch, run) in _overtaken)
        {
            await SaveOvertakenAsync(epoch, run);
            await run.DisposeAsync();
        }

        await CheckAsync();
        await CheckAdoptionAsync();
    }

    public void Dispose() => _nodes.Dispose();

    private async Task LiveEpochAsync(int epoch)
    {
        using var log = Log();
        LoseNodes((await log.ReadAsync(default)).Entry);
        _nodes.Epoch = epoch;
        await log.FenceAsync(epoch, adopt: false, default);
        var (dataParallel, tensorParallel) = (_random.Next(1, 4), _random.Next(1, 3));
        var spec = TestRun.Spec(last: _random.Next(1, 4), afterSteps: 3);
        var clock = new SkewedTime(TimeSpan.FromHours(_random.Next(-1000, 1000)));
        tally.Count(clock.By > TimeSpan.Zero ? ClockAhead : ClockBehind);
        var run = TestRun.Start(store, epoch, TestModel.World(dataParallel, tensorParallel, _step), spec, storeOf: faulty(), time: clock, limits: Limits, nearby: rank => _nodes.Of(rank, epoch));
        if ((await log.ReadAsync(default)).Checkpoints.Values.LastOrDefault() is { } newest) await ResumeAsync(run, newest);
        for (var i = _random.Next(1, 5); i > 0; i--) await SaveAsync(run, _random.Next(2) == 0 ? _overtaken.LastOrDefault() : default);
        if (_random.Next(3) == 0) _overtaken.Add((epoch, run));
        else await run.DisposeAsync();
        await NoteEntriesAsync();
    }

    /// <summary>One node, whose partner holds its objects; or all of them, now and then.</summary>
    private void LoseNodes(long end)
    {
        var drawn = _random.Next(12);
        for (var node = 0; node < TestNodes.Count; node++)
        {
            if (drawn > 5 || (drawn != 0 && node != drawn % TestNodes.Count)) continue;
            _nodes.Lose(node);
            tally.Count(NodeLost);
            _lostAt[node] = end;
        }
    }

    /// <summary>Whether a rank's node and its partner's were both lost since that checkpoint, which lies nowhere else.</summary>
    private async Task<bool> IsLostAsync(KnownCheckpoint checkpoint)
    {
        if (!checkpoint.Commit.InMemory) return false;
        var ranks = (await CheckpointReader.OpenAsync(store, checkpoint.ToSummary(), default)).Manifest.WorldSize;
        return Enumerable.Range(0, ranks).Any(rank => _lostAt[TestNodes.NodeOf(rank)] >= checkpoint.Entry && _lostAt[TestNodes.PartnerOf(rank)] >= checkpoint.Entry);
    }

    private async Task ResumeAsync(TestRun run, KnownCheckpoint newest)
    {
        var lost = await IsLostAsync(newest);
        try
        {
            var restored = await run.RestoreAsync(newest.ToSummary());
            if (lost) tally.Count(Fallback);
            if (run.Ranks.Length != _world) tally.Count(Resharded);
            Assert.True(lost != (newest.Commit.Step == restored.Checkpoint.Step), $"restored step {restored.Checkpoint.Step} instead of {newest.Commit.Step}: {string.Join("; ", restored.Skipped)}");
        }
        catch (StoreException)
        {
            // the run would end with exit code Store and be launched again
        }
        catch (CheckpointException) when (lost && _committed == 0)
        {
            // all there was lay in memory: the run would begin again
        }
    }

    /// <summary>Saves; at the same time a run of an older epoch may, in vain.</summary>
    private async Task SaveAsync(TestRun run, (long Epoch, TestRun Run) older)
    {
        _step += _random.Next(1, 4);
        foreach (var rank in run.Ranks) rank.State.ForEach(s => Array.Fill(s.Values, _step));
        run.Sessions[0].Observe(TestRun.Record(_step));
        var step = _step;
        var overtaken = older.Run is null ? Task.CompletedTask : Task.Run(() => SaveOvertakenAsync(older.Epoch, older.Run));
        var kind = _random.Next(3) == 0 ? SaveKind.Memory : SaveKind.Store;
        var committed = (await run.SaveAsync(step, kind)).Committed;
        if (committed && kind == SaveKind.Store) _committed = step;
        if (committed) _world = run.Ranks.Length;
        tally.Count(committed ? $"committed to {kind}" : Torn);
        await overtaken;
        if (older.Run is not null) tally.Count(Race);
        if (older.Run is not null) _step++;
    }

    private async Task SaveOvertakenAsync(long epoch, TestRun run)
    {
        try
        {
            var step = _step + 1;
            var committed = (await run.SaveAsync(step)).Committed;
            Assert.True(!committed || epoch == Epochs, $"epoch {epoch} committed step {step} behind a newer fence");
            if (committed) _committed = Math.Max(_committed, step);
        }
        catch (StoreFencedException)
        {
            tally.Count(Fenced);   // as it must be
        }
    }

    private async Task CheckAsync()
    {
        using var log = Log();
        var state = await log.ReadAsync(default);
        foreach (var known in state.Durable) await (await CheckpointReader.OpenAsync(store, known.ToSummary(), default)).VerifyAsync(null, default);
        if (_committed > 0) Assert.True(state.Durable.Max(c => c.Commit.Step) >= _committed, $"step {_committed} was committed and is gone");
        foreach (var name in Foreign) Assert.Equal("not ours"u8.ToArray(), await store.TryReadAsync(name, 100, default));
        await NoteEntriesAsync();
        CheckOrder(state);
        if (state.Checkpoints.Values.LastOrDefault() is not { } newest || await IsLostAsync(newest)) return;
        await using var loader = TestRun.Start(store, Epochs, TestModel.World(2, 1, step: null), limits: Limits, nearby: rank => _nodes.Of(rank, Epochs));
        Assert.Equal(newest.Commit.Step, (await loader.RestoreAsync(newest.ToSummary())).Checkpoint.Step);
    }

    /// <summary>Entries that are never deleted without being archived: both places together are the whole log.</summary>
    private async Task NoteEntriesAsync()
    {
        using var log = Log();
        var end = (await log.ReadAsync(default)).Entry;
        for (long first = 1; await log.Files.ReadArchiveAsync(first, default) is { } archive; first += Limits.ArchiveEntries)
        {
            foreach (var entry in archive.Entries) _entries[entry.Number] = entry;
        }

        for (var n = _entries.Keys.LastOrDefault(0) + 1; n <= end; n++) _entries[n] = (await log.Files.ReadEntryAsync(n, default))!;
    }

    /// <summary>Replays the log: no commit behind a newer fence, and never fewer than two healthy ones once there were two.</summary>
    private void CheckOrder(LogState final)
    {
        var state = LogState.Empty;
        for (var n = 1; n <= final.Entry; n++)
        {
            var entry = _entries[n];
            Assert.Null(LogRules.Refusal(state, entry));
            Assert.True(entry.Epoch >= state.FencedEpoch);
            var healthy = state.Healthy.Count();
            state = state.Apply(entry);
            Assert.True(state.Healthy.Count() >= Math.Min(2, healthy));
        }

        Assert.Equal(final.ToCatalogue(), state.ToCatalogue());
    }

    /// <summary>A new job may not touch the store until it asks to take it over; then it finds what was there.</summary>
    private async Task CheckAdoptionAsync()
    {
        var before = await CatalogueAsync();
        using var other = TestRun.Log(store, OtherJob, Limits);
        await Assert.ThrowsAsync<StoreFencedException>(() => other.FenceAsync(Epochs + 1, adopt: false, default));
        Assert.Equal(before, await CatalogueAsync());
        tally.Count(ForeignJob);
        var adopted = await other.FenceAsync(Epochs + 1, adopt: true, default);
        Assert.Equal(before.Checkpoints, adopted.ToCatalogue().Checkpoints);
        tally.Count(Adopted);
    }

    private async Task<Opt.Api.Protocol.Catalogue> CatalogueAsync()
    {
        using var log = Log();
        return (await log.ReadAsync(default)).ToCatalogue();
    }

    private CommitLog Log() => TestRun.Log(store, limits: Limits);
}
