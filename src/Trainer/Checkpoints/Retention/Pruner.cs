using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Carries out retention: a retire entry first, from which on the checkpoint does not exist; then its manifest; then its objects. Interrupted
/// anywhere, the rest is found as a leftover by the next run. Objects whose names are not ours are never touched.
/// </summary>
/// <param name="epoch">Epoch of the caller, which a newer fence shuts out; null for a person at a tool, who acts in whatever epoch is current.</param>
internal sealed class Pruner(CommitLog log, long? epoch)
{
    private const int Parallel = 8;

    /// <summary>Half-written files this old belong to nobody: no write takes longer.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    /// <summary>Told how far what is being deleted is.</summary>
    public IProgress<double>? Progress { get; init; }

    /// <summary>Retires and deletes what the rule lets go.</summary>
    public async Task<IReadOnlyList<KnownCheckpoint>> RetireAsync(RetentionSpec keep, CancellationToken ct)
    {
        var retired = new List<KnownCheckpoint>();
        var choice = RetentionRule.Choose(await log.ReadAsync(ct), keep);
        for (var i = 0; i < choice.Count; i++)
        {
            var checkpoint = choice[i];
            // Asked again for every entry: a pin or a verdict may have come in between.
            var chosen = false;
            await log.AppendAsync(state =>
            {
                chosen = RetentionRule.Choose(state, keep).Any(c => c.Entry == checkpoint.Entry);
                return chosen ? CommitLog.Entry(LogEntryKind.Retire, epoch ?? state.FencedEpoch) with { Retire = new() { Checkpoint = checkpoint.Entry, Reason = "retention" } } : null;
            }, ct);
            if (!chosen) continue;
            await DeleteFolderAsync(checkpoint.Commit.Path, i, choice.Count, ct);
            retired.Add(checkpoint);
        }

        return retired;
    }

    /// <summary>
    /// Deletes objects of retired checkpoints and of torn saves: folders of ours that no commit names, of epochs that can commit no more.
    /// A folder of the current epoch may be a save under way, and stays.
    /// </summary>
    public async Task<IReadOnlyList<string>> DeleteLeftoversAsync(CancellationToken ct)
    {
        var leftovers = await FindLeftoversAsync(ct);
        for (var i = 0; i < leftovers.Count; i++) await DeleteFolderAsync(leftovers[i], i, leftovers.Count, ct);
        await log.Store.DeleteAbandonedAsync(Abandoned, ct);
        return leftovers;
    }

    /// <summary>The folders <see cref="DeleteLeftoversAsync"/> would delete.</summary>
    public async Task<IReadOnlyList<string>> FindLeftoversAsync(CancellationToken ct)
    {
        var folders = new SortedDictionary<string, long>(StringComparer.Ordinal);
        await foreach (var found in log.Store.ListAsync(CheckpointNames.Root, ct))
        {
            if (CheckpointNames.TryParse(found.Name, out var folder, out var epoch)) folders[folder] = epoch;
        }

        // Read after the listing: whatever was committed before the listing is seen as committed.
        var state = await log.ReadAsync(ct);
        return [.. folders.Where(f => !state.Exists(f.Key) && (f.Value < state.FencedEpoch || state.Retired.Contains(f.Key))).Select(f => f.Key)];
    }

    /// <summary>Deletes our objects of a folder that no commit names.</summary>
    public Task DeleteFolderAsync(string folder, CancellationToken ct) => DeleteFolderAsync(folder, 0, 1, ct);

    private async Task DeleteFolderAsync(string folder, int index, int count, CancellationToken ct)
    {
        await log.Store.DeleteAsync($"{folder}/{Manifest.FileName}", ct);
        var names = new List<string>();
        await foreach (var found in log.Store.ListAsync(folder + "/", ct))
        {
            if (CheckpointNames.TryParse(found.Name, out _, out _)) names.Add(found.Name);
        }

        var meter = new TransferMeter(names.Count, Progress is null ? null : new Share(Progress, index, count));
        await System.Threading.Tasks.Parallel.ForEachAsync(names, new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = ct }, async (name, stop) =>
        {
            await log.Store.DeleteAsync(name, stop);
            meter.Add(1);
        });
    }

    /// <summary>One of several equal parts of a whole.</summary>
    private sealed class Share(IProgress<double> whole, int index, int count) : IProgress<double>
    {
        public void Report(double value) => whole.Report((index + value) / count);
    }
}
