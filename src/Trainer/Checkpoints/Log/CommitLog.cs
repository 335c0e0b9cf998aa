using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// The append-only log of one store (DESIGN: store fence). A writer reads to the end, checks the rules, then creates the next number if it
/// is absent; when another writer was faster it reads on and checks again. So no entry of an older epoch can follow a newer fence.
/// Old entries are compacted into snapshots and archives, so a number that is absent may be one that was there: whoever reads looks whether a snapshot
/// lies beyond what it read, and whoever created an entry looks whether snapshots had passed it by more than the margin below which entries
/// are never deleted. If so, it slept through a compaction: nobody may see its entry, so the log is read anew and the entry proposed again.
/// Safe for concurrent use.
/// </summary>
public sealed class CommitLog : IDisposable
{
    /// <summary>Folder of the entries.</summary>
    public const string Folder = "log/";

    private const int ReadAhead = 8;
    private const int Restarts = 3;
    private readonly LogFiles _files;
    private readonly string _jobUid, _writer;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private LogState? _state;

    public CommitLog(ICheckpointStore store, string jobUid, string writer, TimeProvider time)
        : this(store, jobUid, writer, time, LogLimits.Default)
    {
    }

    internal CommitLog(ICheckpointStore store, string jobUid, string writer, TimeProvider time, LogLimits limits)
    {
        _files = new(store, limits);
        (_jobUid, _writer, _time) = (jobUid, writer, time);
    }

    public ICheckpointStore Store => _files.Store;

    internal LogFiles Files => _files;

    public void Dispose() => _gate.Dispose();

    /// <summary>Reads to the end of the log.</summary>
    public async Task<LogState> ReadAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            return await CatchUpAsync(ct);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>
    /// Appends what <paramref name="propose"/> answers for the state at the end of the log (null: nothing to append). It is asked again
    /// whenever another writer was faster; number, nonce, job, writer and time are filled in here.
    /// </summary>
    /// <returns>The state after the entry.</returns>
    /// <exception cref="StoreFencedException">The store belongs to a newer epoch or to another job.</exception>
    /// <exception cref="CheckpointException">The entry breaks a rule.</exception>
    public async Task<LogState> AppendAsync(Func<LogState, LogEntry?> propose, CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            while (true)
            {
                var state = await CatchUpAsync(ct);
                if (propose(state) is not { } proposed) return state;
                var entry = proposed with { Number = state.Entry + 1, JobUid = _jobUid, Writer = _writer, Nonce = Guid.NewGuid().ToString("n"), At = _time.GetUtcNow() };
                Check(state, entry);
                if (await TryCreateAsync(entry, ct) && !await WasPassedAsync(entry, ct)) return await AdvanceAsync(entry, ct);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Appends fence(<paramref name="epoch"/>) unless it is there already.</summary>
    /// <param name="adopt">Take over a store of another job.</param>
    public Task<LogState> FenceAsync(long epoch, bool adopt, CancellationToken ct) => AppendAsync(state =>
    {
        if (state.FencedEpoch == epoch && state.JobUid == _jobUid) return null;
        var adopts = adopt && state.JobUid != _jobUid ? state.JobUid : null;
        return Entry(LogEntryKind.Fence, epoch) with { Fence = new() { Adopts = adopts } };
    }, ct);

    /// <summary>Fences at the epoch after the last one: for a run that has the store to itself.</summary>
    public Task<LogState> FenceNextAsync(bool adopt, CancellationToken ct) => AppendAsync(state => Entry(LogEntryKind.Fence, state.FencedEpoch + 1) with
    {
        Fence = new() { Adopts = adopt && state.JobUid != _jobUid ? state.JobUid : null },
    }, ct);

    /// <summary>Condemns every checkpoint above <paramref name="step"/> that is not condemned yet.</summary>
    public async Task<LogState> CondemnAfterAsync(long epoch, long step, string reason, CancellationToken ct)
    {
        while (true)
        {
            var appended = false;
            var state = await AppendAsync(known =>
            {
                var next = known.Checkpoints.Values.FirstOrDefault(c => c.Commit.Step > step && c.Verdict is not HealthVerdict.Condemned);
                appended = next is not null;
                return next is null ? null : Entry(LogEntryKind.Verdict, epoch) with { Verdict = new() { Checkpoint = next.Entry, Verdict = HealthVerdict.Condemned, Reason = reason } };
            }, ct);
            if (!appended) return state;
        }
    }

    /// <summary>Appends the logbook entries that the log does not hold yet.</summary>
    public async Task RecordAsync(IEnumerable<LogbookEntry> entries, CancellationToken ct)
    {
        foreach (var entry in entries)
        {
            await AppendAsync(known => known.HasLogbook(entry) ? null : Entry(LogEntryKind.Logbook, known.FencedEpoch) with { Logbook = entry }, ct);
        }
    }

    /// <summary>An entry to complete with its part.</summary>
    public static LogEntry Entry(LogEntryKind kind, long epoch) => new() { Number = 0, Kind = kind, JobUid = "", Epoch = epoch, Writer = "", Nonce = "", At = default };

    private static void Check(LogState state, LogEntry entry)
    {
        if (LogRules.Refusal(state, entry) is not { } refusal) return;
        throw refusal.Kind == LogRefusalKind.Invalid ? new CheckpointException(refusal.Message) : new StoreFencedException(refusal.Message);
    }

    /// <summary>True when the entry is in the log, which a lost answer may hide until it is read back.</summary>
    private async Task<bool> TryCreateAsync(LogEntry entry, CancellationToken ct)
    {
        try
        {
            if (await _files.TryCreateAsync(entry, ct)) return true;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Transient)
        {
            if ((await _files.ReadEntryAsync(entry.Number, ct))?.Nonce == entry.Nonce) return true;
            throw;
        }

        return (await _files.ReadEntryAsync(entry.Number, ct))?.Nonce == entry.Nonce;
    }

    /// <summary>True when the entry may have filled a hole that compaction left, where nobody sees it: the state is read anew.</summary>
    private async Task<bool> WasPassedAsync(LogEntry entry, CancellationToken ct)
    {
        if (entry.Number > await NewestSnapshotAsync(ct) - _files.Limits.Margin) return false;
        _state = null;
        return true;
    }

    private async Task<LogState> AdvanceAsync(LogEntry entry, CancellationToken ct)
    {
        _state = _state!.Apply(entry);
        if (entry.Number % _files.Limits.SnapshotEvery != 0) return _state;
        try
        {
            await _files.WriteSnapshotAsync(_state, ct);
        }
        catch (StoreException)
        {
            // The entry is in the log already, which is all that counts; the next snapshot covers for this one.
        }

        return _state;
    }

    private async Task<LogState> CatchUpAsync(CancellationToken ct)
    {
        for (var restarts = 0; ;)
        {
            _state ??= await ReadSnapshotAsync(ct);
            await ReadOnAsync(ct);
            var newest = await NewestSnapshotAsync(ct);
            if (newest <= _state.Entry) return _state;
            if (await _files.ReadEntryAsync(_state.Entry + 1, ct) is not null) continue;   // others were appending meanwhile
            if (++restarts > Restarts) throw _files.Damaged(LogFiles.SnapshotNameOf(newest), $"it cannot be read, and the entries end at {_state.Entry}", null);
            _state = null;   // what follows was compacted away
        }
    }

    private async Task ReadOnAsync(CancellationToken ct)
    {
        for (var ahead = 1; ; ahead = ReadAhead)
        {
            var from = _state!.Entry + 1;
            var entries = await Task.WhenAll(Enumerable.Range(0, ahead).Select(i => _files.ReadEntryAsync(from + i, ct)));
            foreach (var entry in entries.TakeWhile(e => e is not null)) _state = _state.Apply(entry!);
            // Not only the last one: with a compaction in between, an entry may be gone while later ones are there.
            if (entries.Contains(null)) return;
        }
    }

    private async Task<long> NewestSnapshotAsync(CancellationToken ct) => (await _files.SnapshotsAsync(ct)).DefaultIfEmpty(0).Max();

    /// <summary>The newest snapshot that can be read, else what the archives say.</summary>
    private async Task<LogState> ReadSnapshotAsync(CancellationToken ct)
    {
        var snapshots = await _files.SnapshotsAsync(ct);
        foreach (var number in snapshots.Reverse())
        {
            if (await _files.ReadSnapshotAsync(number, ct) is { } state) return state;
        }

        var replayed = LogState.Empty;
        while (snapshots.Count > 0 && await _files.ReadArchiveAsync(replayed.Entry + 1, ct) is { } archive) replayed = archive.Entries.Aggregate(replayed, (s, e) => s.Apply(e));
        return replayed;
    }
}
