namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Moves old entries into archives. An entry goes only when it lies a margin below the last snapshot but one, both of which are readable, and when
/// an archive that was read back holds it. Entries go oldest first, so those that stay have no hole. Safe at any epoch, by any number of
/// processes, interrupted anywhere: writers that slept through it notice (<see cref="CommitLog"/>), and what they wrote into the hole goes with the next run.
/// </summary>
internal sealed class LogCompactor(LogFiles files)
{
    /// <returns>Entries deleted.</returns>
    public async Task<int> RunAsync(CancellationToken ct)
    {
        var snapshots = await files.SnapshotsAsync(ct);
        if (snapshots.Count < 2) return 0;
        var floor = snapshots[^2] - files.Limits.Margin;
        var old = (await files.EntriesAsync(ct)).Where(n => ChunkOf(n) + files.Limits.ArchiveEntries - 1 <= floor).ToArray();
        if (old.Length == 0 || await files.ReadSnapshotAsync(snapshots[^1], ct) is null || await files.ReadSnapshotAsync(snapshots[^2], ct) is null) return 0;
        var deleted = 0;
        foreach (var chunk in old.GroupBy(ChunkOf))
        {
            if (!await IsArchivedAsync(chunk.Key, ct)) return deleted;
            foreach (var number in chunk) await files.Store.DeleteAsync(LogFiles.NameOf(number), ct);
            deleted += chunk.Count();
        }

        return deleted;
    }

    /// <summary>First entry of the archive an entry belongs to.</summary>
    private long ChunkOf(long number) => (number - 1) / files.Limits.ArchiveEntries * files.Limits.ArchiveEntries + 1;

    private async Task<bool> IsArchivedAsync(long first, CancellationToken ct)
    {
        if (await files.ReadArchiveAsync(first, ct) is { } there) return IsWhole(there, first);
        var entries = new List<LogEntry>();
        for (var number = first; number < first + files.Limits.ArchiveEntries; number++)
        {
            if (await files.ReadEntryAsync(number, ct) is not { } entry) return false;   // another process is ahead: its archive will be there next time
            entries.Add(entry);
        }

        await files.TryCreateAsync(new LogArchive { Entries = [.. entries] }, ct);
        return await files.ReadArchiveAsync(first, ct) is { } written && IsWhole(written, first);
    }

    private bool IsWhole(LogArchive archive, long first) =>
        archive.Entries.Select(e => e.Number).SequenceEqual(Enumerable.Range(0, files.Limits.ArchiveEntries).Select(i => first + i));
}
