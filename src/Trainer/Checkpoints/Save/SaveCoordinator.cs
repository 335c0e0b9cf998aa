using System.Globalization;
using System.Text.Json;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>Rank 0's part of a save: wait until every rank's object is durable, write slice table and manifest, then the commit entry.</summary>
/// <param name="ended">Cancelled when the session ends.</param>
internal sealed class SaveCoordinator(CheckpointSessionOptions options, CommitLog log, ShardFormat format, TimeProvider time, CancellationToken ended)
{
    private const string SlicesKey = "slices/";
    private readonly Lock _gate = new();
    private Task<(byte[] Bytes, ObjectRecord Record)>? _slices;

    /// <summary>Tells rank 0 how this rank's object fared.</summary>
    public static Task PublishAsync(IRankExchange exchange, long attempt, ShardResult result, CancellationToken ct) =>
        exchange.PublishAsync(ResultKey(attempt, exchange.Rank), JsonSerializer.SerializeToUtf8Bytes(result, CheckpointJson.Default.ShardResult), ct);

    /// <summary>Hands rank 0 this rank's part of the slice table, which does not change during a session.</summary>
    public Task PublishSlicesAsync(CancellationToken ct) =>
        options.Exchange.PublishAsync(SlicesKey + Text(options.Exchange.Rank), JsonSerializer.SerializeToUtf8Bytes(format.Shard, CheckpointJson.Default.RankShard), ct);

    /// <summary>Every rank's object, in rank order.</summary>
    /// <exception cref="CheckpointException">A rank could not write its object. All ranks have answered, so nobody writes any more.</exception>
    public async Task<IReadOnlyList<ShardResult>> GatherAsync(long attempt, ShardResult mine, CancellationToken ct)
    {
        var results = new ShardResult[options.Exchange.WorldSize];
        results[0] = mine;
        for (var rank = 1; rank < results.Length; rank++)
        {
            var key = ResultKey(attempt, rank);
            results[rank] = JsonSerializer.Deserialize(await options.Exchange.WaitAsync(key, ct), CheckpointJson.Default.ShardResult)!;
            await options.Exchange.RemoveAsync(key, ct);
        }

        await options.Exchange.RemoveAsync(StaysKey(attempt), ct);   // whoever has answered has read it
        var failed = Array.FindIndex(results, r => r.Object is null);
        return failed < 0 ? results : throw new CheckpointException($"rank {failed}: {results[failed].Error}");
    }

    /// <summary>Tells the other ranks which copies stay; null: none are to be made.</summary>
    public Task TellWhatStaysAsync(long attempt, CopyChoice? choice, CancellationToken ct) =>
        options.Exchange.PublishAsync(StaysKey(attempt), JsonSerializer.SerializeToUtf8Bytes(choice, CheckpointJson.Default.CopyChoice), ct);

    /// <summary>What rank 0 tells.</summary>
    public async Task<CopyChoice?> WhatStaysAsync(long attempt, CancellationToken ct) =>
        JsonSerializer.Deserialize(await options.Exchange.WaitAsync(StaysKey(attempt), ct), CheckpointJson.Default.CopyChoice);

    /// <summary>Makes the checkpoint exist.</summary>
    /// <exception cref="CheckpointException">In memory, and there is no tier that holds every rank's object.</exception>
    public async Task<(KnownCheckpoint Committed, long Bytes)> CommitAsync(SaveKind kind, string folder, TrainingState state, long parent, HealthRecord health, IReadOnlyList<ShardResult> shards, CancellationToken ct)
    {
        EquatableList<CheckpointTier> copies = [.. shards.Select(s => s.Copies.AsEnumerable()).Aggregate((a, b) => a.Intersect(b)).Order()];
        if (kind == SaveKind.Memory && copies.Count == 0) throw new CheckpointException("neither the nodes nor their partners hold every rank's object");
        var slices = await SlicesAsync().WaitAsync(ct);
        await options.Store.WriteAsync($"{folder}/{SliceTable.FileName}", new MemoryContent(slices.Bytes), ct);
        var manifest = Describe(state, parent, slices.Record, shards);
        var bytes = JsonSerializer.SerializeToUtf8Bytes(manifest, CheckpointJson.Default.Manifest);
        await options.Store.WriteAsync($"{folder}/{Manifest.FileName}", new MemoryContent(bytes), ct);
        var commit = new CommitEntry
        {
            Step = state.Step,
            Attempt = state.Attempt,
            Samples = state.Samples,
            Tokens = state.Tokens,
            Path = folder,
            ManifestDigest = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)),
            Bytes = manifest.Bytes,
            Parent = parent,
            LastBadStep = health.LastBadStep,
            Trouble = health.Trouble,
            Trends = health.Trends,
            Copies = copies,
            InMemory = kind == SaveKind.Memory,
        };
        var after = await log.AppendAsync(s => s.Exists(folder) || s.Retired.Contains(folder) ? null : CommitLog.Entry(LogEntryKind.Commit, options.Epoch) with { Commit = commit }, ct);
        var committed = after.Checkpoints.Values.SingleOrDefault(c => c.Commit.Path == folder) ?? throw new CheckpointException("it was retired while it was committed");
        return (committed, manifest.Bytes);
    }

    private Manifest Describe(TrainingState state, long parent, ObjectRecord slices, IReadOnlyList<ShardResult> shards) => new()
    {
        JobUid = options.JobUid,
        Epoch = options.Epoch,
        Parent = parent,
        Model = options.Model,
        WorldSize = options.Layout.WorldSize,
        TensorParallelSize = options.Layout.TensorParallelSize,
        State = state,
        Slots = format.Slots,
        Software = options.Software,
        SavedAt = time.GetUtcNow(),
        Slices = slices,
        Objects = [.. shards.Select(s => s.Object!)],
    };

    /// <summary>Gathered once, whichever save comes first: each rank tells its part once.</summary>
    private Task<(byte[] Bytes, ObjectRecord Record)> SlicesAsync()
    {
        lock (_gate) return _slices ??= GatherSlicesAsync(ended);
    }

    private async Task<(byte[] Bytes, ObjectRecord Record)> GatherSlicesAsync(CancellationToken ct)
    {
        var shards = new RankShard[options.Exchange.WorldSize];
        shards[0] = format.Shard;
        for (var rank = 1; rank < shards.Length; rank++)
        {
            shards[rank] = JsonSerializer.Deserialize(await options.Exchange.WaitAsync(SlicesKey + Text(rank), ct), CheckpointJson.Default.RankShard)!;
            await options.Exchange.RemoveAsync(SlicesKey + Text(rank), ct);
        }

        var bytes = SliceTable.Build(shards).Compress();
        return (bytes, ObjectDigests.Of(SliceTable.FileName, new MemoryContent(bytes), ct));
    }

    private static string StaysKey(long attempt) => string.Create(CultureInfo.InvariantCulture, $"stays/{attempt}");

    private static string ResultKey(long attempt, int rank) => string.Create(CultureInfo.InvariantCulture, $"save/{attempt}/{rank}");

    private static string Text(int rank) => rank.ToString(CultureInfo.InvariantCulture);
}
