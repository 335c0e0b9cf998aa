using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>The objects of a commit log: entries, snapshots of the state after some of them, archives of those that were compacted.</summary>
internal sealed class LogFiles(ICheckpointStore store, LogLimits limits)
{
    private const string Snapshots = CommitLog.Folder + "snapshots/";
    private const string Archives = CommitLog.Folder + "archive/";
    private const int MaxEntryBytes = 1 << 20;
    private const int MaxSnapshotBytes = 64 << 20;

    /// <summary>Bytes damaged on the way differ from bytes damaged at rest by healing.</summary>
    private const int Reads = 3;

    public ICheckpointStore Store => store;

    public LogLimits Limits => limits;

    public static string NameOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{CommitLog.Folder}{number:d12}.json");

    public static string SnapshotNameOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{Snapshots}{number:d12}.json");

    public static string ArchiveNameOf(long first) => string.Create(CultureInfo.InvariantCulture, $"{Archives}{first:d12}.json");

    /// <summary>Creates the entry if there is none of its number. A lost answer leaves open whether it did.</summary>
    public Task<bool> TryCreateAsync(LogEntry entry, CancellationToken ct) =>
        store.TryCreateAsync(NameOf(entry.Number), Bytes(entry, CheckpointJson.Default.LogEntry), ct);

    public async Task<LogEntry?> ReadEntryAsync(long number, CancellationToken ct)
    {
        var entry = await ReadAsync(NameOf(number), MaxEntryBytes, CheckpointJson.Default.LogEntry, ct);
        return entry is null || entry.Number == number ? entry : throw Damaged(NameOf(number), $"it says it is entry {entry.Number}", null);
    }

    /// <summary>Numbers of the entries that lie there one by one, ascending.</summary>
    public async Task<IReadOnlyList<long>> EntriesAsync(CancellationToken ct) => await NumbersAsync(CommitLog.Folder, ct);

    /// <summary>Numbers of the snapshots, ascending.</summary>
    public async Task<IReadOnlyList<long>> SnapshotsAsync(CancellationToken ct) => await NumbersAsync(Snapshots, ct);

    /// <summary>First entries of the archives, ascending.</summary>
    public async Task<IReadOnlyList<long>> ArchivesAsync(CancellationToken ct) => await NumbersAsync(Archives, ct);

    /// <summary>Null when it is gone or damaged: another one or the entries will do.</summary>
    public async Task<LogState?> ReadSnapshotAsync(long number, CancellationToken ct)
    {
        try
        {
            return (await ReadAsync(SnapshotNameOf(number), MaxSnapshotBytes, CheckpointJson.Default.LogSnapshot, ct))?.ToState();
        }
        catch (CheckpointException)
        {
            return null;
        }
    }

    /// <summary>Writes the snapshot of a state. The two newest stay: a reader may hold the name of the one before.</summary>
    public async Task WriteSnapshotAsync(LogState state, CancellationToken ct)
    {
        await store.TryCreateAsync(SnapshotNameOf(state.Entry), Bytes(LogSnapshot.Of(state), CheckpointJson.Default.LogSnapshot), ct);
        foreach (var old in (await SnapshotsAsync(ct)).Where(n => n <= state.Entry).SkipLast(2)) await store.DeleteAsync(SnapshotNameOf(old), ct);
    }

    /// <summary>Null when there is none.</summary>
    /// <exception cref="CheckpointException">It is damaged.</exception>
    public Task<LogArchive?> ReadArchiveAsync(long first, CancellationToken ct) => ReadAsync(ArchiveNameOf(first), MaxSnapshotBytes, CheckpointJson.Default.LogArchive, ct);

    public Task<bool> TryCreateAsync(LogArchive archive, CancellationToken ct) =>
        store.TryCreateAsync(ArchiveNameOf(archive.Entries[0].Number), Bytes(archive, CheckpointJson.Default.LogArchive), ct);

    public CheckpointException Damaged(string name, string detail, Exception? inner) => new($"{store.Description}: {name} of the commit log is damaged: {detail}", inner);

    private static byte[] Bytes<T>(T value, JsonTypeInfo<T> type) => SealedJson.Seal(JsonSerializer.SerializeToUtf8Bytes(value, type));

    private async Task<T?> ReadAsync<T>(string name, int atMost, JsonTypeInfo<T> type, CancellationToken ct)
        where T : class
    {
        for (var read = 1; ; read++)
        {
            if (await store.TryReadAsync(name, atMost, ct) is not { } bytes) return null;
            try
            {
                if (!SealedJson.TryOpen(bytes, out var json)) throw new JsonException("its SHA-256 is not the one at its end");
                return JsonSerializer.Deserialize(json.Span, type) ?? throw new JsonException("it is null");
            }
            catch (JsonException e)
            {
                if (read == Reads) throw Damaged(name, e.Message, e);
            }
        }
    }

    private async Task<List<long>> NumbersAsync(string folder, CancellationToken ct)
    {
        var numbers = new List<long>();
        await foreach (var found in store.ListAsync(folder, ct))
        {
            var name = found.Name.AsSpan(folder.Length);
            if (name.EndsWith(".json", StringComparison.Ordinal) && long.TryParse(name[..^5], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) numbers.Add(number);
        }

        numbers.Sort();
        return numbers;
    }
}
