using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Reports;

/// <summary>What a checkpoint store remembers of a run besides its checkpoints: step records by epoch, and the logbook.</summary>
internal static class RunHistory
{
    private const string Steps = "steps/";
    private const int MaxPartBytes = 64 << 20;

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
        return [.. entries.Values.Select(e => e.Logbook).OfType<LogbookEntry>().GroupBy(e => (e.Time.ToUnixTimeMilliseconds(), e.Actor, e.What)).Select(g => g.Last()).OrderBy(e => e.Time)];
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
