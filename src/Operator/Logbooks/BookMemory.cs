using Opt.Api.V1Alpha1;

namespace Opt.Operator.Logbooks;

/// <summary>What this process holds about one job's pages between passes. All of it may be lost at any moment: the status holds the newest entries.</summary>
/// <param name="known">Entries of the status as it was found.</param>
internal sealed class BookMemory(IEnumerable<LogbookEntry> known)
{
    /// <summary>Entries that wait, while nothing can be written. The store has all.</summary>
    private const int MostWaiting = 5000;

    private List<LogbookEntry> _waiting = [.. known];

    /// <summary>The pages; null before they were read, and after a write of which nobody knows what came of it.</summary>
    public Book? Book { get; set; }

    /// <summary>Numbers below are taken by ConfigMaps that may not be this job's.</summary>
    public int Floor { get; set; }

    /// <summary>When a write failed last, by the stopwatch.</summary>
    public long? FailedAt { get; set; }

    public void Add(IEnumerable<LogbookEntry> entries)
    {
        _waiting.AddRange(entries);
        if (_waiting.Count > MostWaiting) _waiting = [.. _waiting.OrderBy(e => e.Time).TakeLast(MostWaiting)];
    }

    /// <summary>What waits to be written, but for those entries that are <paramref name="notYet"/> in the status.</summary>
    public IReadOnlyList<LogbookEntry> Due(IReadOnlyCollection<LogbookEntry> notYet) => _waiting.Count == 0 || notYet.Count == 0 ? _waiting : [.. _waiting.Where(e => !notYet.Contains(e))];

    public void Written(IReadOnlyList<LogbookEntry> entries) => _waiting = ReferenceEquals(entries, _waiting) ? [] : [.. _waiting.Except(entries)];
}
