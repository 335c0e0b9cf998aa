using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Agent;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Reports;

/// <summary>What a checkpoint store remembers of a run besides its checkpoints: step records by epoch, and the logbook.</summary>
internal static class RunHistory
{
    private const string Steps = "steps/";
    private const int MaxPartBytes = 64 << 20, PageRecords = 2000, PageParts = 256, PartsAtOnce = 8;

    /// <summary>All step records, by epoch and attempt.</summary>
    public static async Task<IReadOnlyList<StepRecord>> StepsAsync(ICheckpointStore store, CancellationToken ct)
    {
        var records = new List<StepRecord>();
        await foreach (var part in store.ListAsync(Steps, ct))
        {
            if (await store.TryReadAsync(part.Name, MaxPartBytes, ct) is { } bytes) records.AddRange(Lines(part.Name, Encoding.UTF8.GetString(bytes).Split('\n')));
        }

        return Ordered(records);
    }

    /// <summary>Step records of a file as <c>opt-trainer train --steps-out</c> writes it.</summary>
    public static async Task<IReadOnlyList<StepRecord>> StepsAsync(string file, CancellationToken ct) => Ordered(Lines(file, await File.ReadAllLinesAsync(file, ct)));

    /// <summary>All logbook entries, oldest first, archived ones included.</summary>
    public static async Task<IReadOnlyList<LogbookEntry>> LogbookAsync(ICheckpointStore store, CancellationToken ct)
    {
        var files = new LogFiles(store, LogLimits.Default);
        var entries = new SortedDictionary<long, LogEntry>();
        foreach (var first in await files.ArchivesAsync(ct))
        {
            foreach (var entry in (await files.ReadArchiveAsync(first, ct))?.Entries ?? []) entries[entry.Number] = entry;
        }

        foreach (var number in await files.EntriesAsync(ct))
        {
            if (await files.ReadEntryAsync(number, ct) is { } entry) entries[number] = entry;
        }

        // An outcome was learned after the entry, and is an entry of the log of its own.
        return [.. entries.Values.Select(e => e.Logbook).OfType<LogbookEntry>().GroupBy(e => e.Identity(), StringComparer.Ordinal).Select(g => g.Last()).OrderBy(e => e.Time)];
    }

    /// <summary>
    /// What the store holds of one epoch after part <paramref name="after"/> (0 for all), a few thousand records at a time. Parts are numbered
    /// without a gap, so nothing is listed.
    /// </summary>
    public static async Task<ArchivePage> ArchiveAsync(ICheckpointStore store, long epoch, int after, CancellationToken ct)
    {
        var (records, next) = (new List<StepRecord>(), after);
        while (records.Count < PageRecords && next - after < PageParts)
        {
            string[] names = [.. Enumerable.Range(next + 1, PartsAtOnce).Select(part => StepArchive.NameOf(epoch, part))];
            var parts = await Task.WhenAll(names.Select(name => store.TryReadAsync(name, MaxPartBytes, ct)));
            var found = parts.TakeWhile(part => part is not null).Count();
            for (var i = 0; i < found; i++) records.AddRange(Lines(names[i], Encoding.UTF8.GetString(parts[i]!).Split('\n')));
            next += found;
            if (found < PartsAtOnce) return new() { Next = next, Ended = true, Records = [.. records] };
        }

        return new() { Next = next, Ended = false, Records = [.. records] };
    }

    private static IReadOnlyList<StepRecord> Ordered(IEnumerable<StepRecord> records) => [.. records.OrderBy(r => r.Epoch).ThenBy(r => r.Attempt)];

    private static IEnumerable<StepRecord> Lines(string name, IEnumerable<string> lines)
    {
        foreach (var (line, number) in lines.Select((l, i) => (l, i + 1)).Where(l => !string.IsNullOrWhiteSpace(l.l)))
        {
            StepRecord? record;
            try
            {
                record = JsonSerializer.Deserialize(line, ProtocolJson.Default.StepRecord);
            }
            catch (JsonException e)
            {
                throw new CheckpointException($"{name}:{number} is not a step record: {e.Message}", e);
            }

            if (record is not null) yield return record;
        }
    }
}
