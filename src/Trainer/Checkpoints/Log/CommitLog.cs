using System.Globalization;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// The append-only log of one store (DESIGN: store fence). A writer reads to the end, checks the rules, then creates the next number if it
/// is absent; when another writer was faster it reads on and checks again. So no entry of an older epoch can follow a newer fence.
/// Safe for concurrent use.
/// </summary>
public sealed class CommitLog(ICheckpointStore store, string jobUid, string writer, TimeProvider time) : IDisposable
{
    /// <summary>Folder of the entries.</summary>
    public const string Folder = "log/";

    private const string Snapshots = "log/snapshots/";
    private const int SnapshotEvery = 32;
    private const int ReadAhead = 8;
    private const int MaxEntryBytes = 1 << 20;
    private const int MaxSnapshotBytes = 64 << 20;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private LogState? _state;

    public ICheckpointStore Store => store;

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
                var entry = proposed with { Number = state.Entry + 1, JobUid = jobUid, Writer = writer, Nonce = Guid.NewGuid().ToString("n"), At = time.GetUtcNow() };
                Check(state, entry);
                if (await TryCreateAsync(entry, ct)) return await AdvanceAsync(entry, ct);
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
        if (state.FencedEpoch == epoch && state.JobUid == jobUid) return null;
        var adopts = adopt && state.JobUid != jobUid ? state.JobUid : null;
        return Entry(LogEntryKind.Fence, epoch) with { Fence = new() { Adopts = adopts } };
    }, ct);

    /// <summary>Fences at the epoch after the last one: for a run that has the store to itself.</summary>
    public Task<LogState> FenceNextAsync(bool adopt, CancellationToken ct) => AppendAsync(state => Entry(LogEntryKind.Fence, state.FencedEpoch + 1) with
    {
        Fence = new() { Adopts = adopt && state.JobUid != jobUid ? state.JobUid : null },
    }, ct);

    /// <summary>An entry to complete with its part.</summary>
    public static LogEntry Entry(LogEntryKind kind, long epoch) => new() { Number = 0, Kind = kind, JobUid = "", Epoch = epoch, Writer = "", Nonce = "", At = default };

    internal static string NameOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{Folder}{number:d12}.json");

    private static string SnapshotNameOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{Snapshots}{number:d12}.json");

    private static void Check(LogState state, LogEntry entry)
    {
        if (LogRules.Refusal(state, entry) is not { } refusal) return;
        throw refusal.Kind == LogRefusalKind.Invalid ? new CheckpointException(refusal.Message) : new StoreFencedException(refusal.Message);
    }

    /// <summary>True when the entry is in the log, which a lost answer may hide until it is read back.</summary>
    private async Task<bool> TryCreateAsync(LogEntry entry, CancellationToken ct)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(entry, CheckpointJson.Default.LogEntry);
        try
        {
            if (await store.TryCreateAsync(NameOf(entry.Number), bytes, ct)) return true;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Transient)
        {
            if ((await ReadEntryAsync(entry.Number, ct))?.Nonce == entry.Nonce) return true;
            throw;
        }

        return (await ReadEntryAsync(entry.Number, ct))?.Nonce == entry.Nonce;
    }

    private async Task<LogState> AdvanceAsync(LogEntry entry, CancellationToken ct)
    {
        _state = _state!.Apply(entry);
        if (entry.Number % SnapshotEvery == 0) await WriteSnapshotAsync(_state, ct);
        return _state;
    }

    private async Task WriteSnapshotAsync(LogState state, CancellationToken ct)
    {
        try
        {
            await store.TryCreateAsync(SnapshotNameOf(state.Entry), JsonSerializer.SerializeToUtf8Bytes(LogSnapshot.Of(state), CheckpointJson.Default.LogSnapshot), ct);
            await foreach (var old in store.ListAsync(Snapshots, ct))
            {
                // The two newest stay: a reader may hold the name of the one before.
                if (string.CompareOrdinal(old.Name, SnapshotNameOf(state.Entry - SnapshotEvery)) < 0) await store.DeleteAsync(old.Name, ct);
            }
        }
        catch (StoreException)
        {
            // The entry is in the log already, which is all that counts; the next snapshot covers for this one.
        }
    }

    private async Task<LogState> CatchUpAsync(CancellationToken ct)
    {
        _state ??= await ReadSnapshotAsync(ct);
        for (var ahead = 1; ; ahead = ReadAhead)
        {
            var from = _state.Entry + 1;
            var entries = await Task.WhenAll(Enumerable.Range(0, ahead).Select(i => ReadEntryAsync(from + i, ct)));
            foreach (var entry in entries.TakeWhile(e => e is not null)) _state = _state.Apply(entry!);
            if (entries[^1] is null) return _state;
        }
    }

    private async Task<LogState> ReadSnapshotAsync(CancellationToken ct)
    {
        string? newest = null;
        await foreach (var found in store.ListAsync(Snapshots, ct))
        {
            if (string.CompareOrdinal(found.Name, newest) > 0) newest = found.Name;
        }

        if (newest is null || await store.TryReadAsync(newest, MaxSnapshotBytes, ct) is not { } bytes) return LogState.Empty;
        try
        {
            return Parse(newest, bytes, CheckpointJson.Default.LogSnapshot).ToState();
        }
        catch (CheckpointException)
        {
            return LogState.Empty;   // only a cache: the entries are all there
        }
    }

    private async Task<LogEntry?> ReadEntryAsync(long number, CancellationToken ct)
    {
        if (await store.TryReadAsync(NameOf(number), MaxEntryBytes, ct) is not { } bytes) return null;
        var entry = Parse(NameOf(number), bytes, CheckpointJson.Default.LogEntry);
        return entry.Number == number ? entry : throw Damaged(NameOf(number), $"it says it is entry {entry.Number}", null);
    }

    private T Parse<T>(string name, byte[] bytes, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, type) ?? throw Damaged(name, "it is null", null);
        }
        catch (JsonException e)
        {
            throw Damaged(name, e.Message, e);
        }
    }

    private CheckpointException Damaged(string name, string detail, Exception? inner) => new($"{store.Description}: {name} of the commit log is damaged: {detail}", inner);
}
