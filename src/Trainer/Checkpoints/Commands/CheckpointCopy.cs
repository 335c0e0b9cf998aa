using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary>
/// Copies a checkpoint to another store, verified on the way, and commits it there. An empty store becomes the same job's, fenced at the
/// checkpoint's epoch; a store of the same job takes it in its own epoch, so that a job running there is not disturbed; any other is refused.
/// </summary>
internal static class CheckpointCopy
{
    public static async Task RunAsync(CommitLog from, KnownCheckpoint checkpoint, ICheckpointStore to, string jobUid, TimeProvider time, IProgress<double>? progress, CancellationToken ct)
    {
        if (checkpoint.Commit.InMemory) throw new CheckpointException($"step {checkpoint.Commit.Step} lies in the memory of the job's nodes alone and cannot be copied");
        using var log = new CommitLog(to, jobUid, "opt-trainer checkpoints copy", time);
        var there = await log.ReadAsync(ct);
        if (there.JobUid is { } owner && owner != jobUid) throw new StoreFencedException($"{to.Description} belongs to the job with UID {owner}, not to {jobUid}");
        if (there.Exists(checkpoint.Commit.Path)) throw new CheckpointException($"{to.Description} has {checkpoint.Commit.Path} already");
        var reader = await CheckpointReader.OpenAsync(from.Store, checkpoint.ToSummary(), ct);
        await CopyObjectsAsync(reader, from.Store, to, progress, ct);
        if (there.FencedEpoch == 0) there = await log.FenceAsync(checkpoint.Epoch, adopt: false, ct);
        var after = await log.AppendAsync(s => CommitLog.Entry(LogEntryKind.Commit, s.FencedEpoch) with { Commit = checkpoint.Commit with { Parent = 0 } }, ct);
        var copy = after.Checkpoints.Values.Single(c => c.Commit.Path == checkpoint.Commit.Path);
        if (checkpoint.Verdict == default) return;
        await log.AppendAsync(s => CommitLog.Entry(LogEntryKind.Verdict, s.FencedEpoch) with { Verdict = new() { Checkpoint = copy.Entry, Verdict = checkpoint.Verdict, Reason = $"copied: {checkpoint.Reason}" } }, ct);
    }

    private static async Task CopyObjectsAsync(CheckpointReader reader, ICheckpointStore from, ICheckpointStore to, IProgress<double>? progress, CancellationToken ct)
    {
        var meter = new TransferMeter(reader.Manifest.Bytes, progress);
        foreach (var record in reader.Manifest.Objects.Append(reader.Manifest.Slices))
        {
            using var file = File.OpenHandle(Path.Combine(Path.GetTempPath(), $"opt-copy-{Guid.NewGuid():n}"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose);
            await reader.ReadObjectAsync(record, (offset, bytes) =>
            {
                RandomAccess.Write(file, bytes, offset);
                meter.Add(bytes.Length);
            }, ct);
            await to.WriteAsync($"{reader.Summary.Path}/{record.Name}", new FileContent(file), ct);
        }

        var manifest = $"{reader.Summary.Path}/{Manifest.FileName}";
        await to.WriteAsync(manifest, new MemoryContent((await from.TryReadAsync(manifest, Manifest.MaxBytes, ct))!), ct);
        meter.Complete();
    }
}
