using System.Globalization;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Restoring as one decision of all ranks: rank 0 names the candidates, every rank tries the next one and says how it went, rank 0 tells all
/// whether it is the one. A candidate that one rank cannot read is skipped by all.
/// </summary>
internal sealed class RestoreProtocol(CheckpointSessionOptions options, CommitLog log)
{
    private readonly IRankExchange _exchange = options.Exchange;

    public async Task<RestoredCheckpoint> RunAsync(CheckpointSummary resume, IProgress<double>? progress, CancellationToken ct)
    {
        var candidates = await AgreeOnCandidatesAsync(resume, ct);
        var skipped = new List<SkippedCheckpoint>();
        for (var i = 0; i < candidates.Count; i++)
        {
            var (mine, restored) = await TryAsync(candidates[i], progress, ct);
            var all = await AgreeAsync(i, mine, ct);
            if (all.Trouble == RestoreTrouble.None) return restored! with { Skipped = [.. skipped] };
            if (all.Trouble == RestoreTrouble.OtherModel) throw new OtherModelException(all.Error);
            if (all.Trouble == RestoreTrouble.Store) throw new StoreException(StoreFault.Transient, all.Error);
            skipped.Add(new(candidates[i].Step, candidates[i].Path, all.Error));
        }

        throw new CheckpointException($"no checkpoint can be restored: {string.Join("; ", skipped.Select(s => $"step {s.Step}: {s.Reason}"))}");
    }

    /// <summary>The checkpoint asked for, then older ones: first those it descends from, then any other that is not condemned.</summary>
    internal static IReadOnlyList<CheckpointSummary> Candidates(LogState state, CheckpointSummary resume)
    {
        var older = state.Checkpoints.Values.Where(c => c.Commit.Step < resume.Step).OrderByDescending(c => c.Commit.Step).ThenByDescending(c => c.Entry);
        return
        [
            // As the log knows it, which says where it lies.
            state.Checkpoints.TryGetValue(resume.Entry, out var known) && known.Commit.ManifestDigest == resume.ManifestDigest ? known.ToSummary() : resume,
            .. state.Ancestry(resume.Entry).Concat(older)
                .Where(c => c.Entry != resume.Entry && c.Verdict != HealthVerdict.Condemned)
                .DistinctBy(c => c.Entry).Select(c => c.ToSummary()),
        ];
    }

    private async Task<EquatableList<CheckpointSummary>> AgreeOnCandidatesAsync(CheckpointSummary resume, CancellationToken ct)
    {
        const string Key = "restore/candidates";
        RestoreCandidates agreed;
        if (_exchange.Rank == 0)
        {
            agreed = await FindCandidatesAsync(resume, ct);
            await _exchange.PublishAsync(Key, JsonSerializer.SerializeToUtf8Bytes(agreed, CheckpointJson.Default.RestoreCandidates), ct);
        }
        else
        {
            agreed = JsonSerializer.Deserialize(await _exchange.WaitAsync(Key, ct), CheckpointJson.Default.RestoreCandidates)!;
        }

        return agreed.Error is null ? agreed.Checkpoints : throw new StoreException(StoreFault.Transient, agreed.Error);
    }

    private async Task<RestoreCandidates> FindCandidatesAsync(CheckpointSummary resume, CancellationToken ct)
    {
        try
        {
            return new() { Checkpoints = [.. Candidates(await log.ReadAsync(ct), resume)] };
        }
        catch (Exception e) when (e is StoreException or CheckpointException)
        {
            return new() { Error = e.Message };   // the other ranks would wait for the list in vain
        }
    }

    private async Task<(RestoreResult, RestoredCheckpoint?)> TryAsync(CheckpointSummary candidate, IProgress<double>? progress, CancellationToken ct)
    {
        try
        {
            var reader = await CheckpointReader.OpenAsync(options.Store, candidate, options.Nearby, ct);
            reader.RequireModel(options.Model);
            var missing = await reader.LoadAsync(options.Layout, options.Buffers, progress, ct);
            return (new(), new() { Checkpoint = candidate, State = reader.Manifest.State, MissingSlots = [.. missing], Sources = reader.Sources });
        }
        catch (OtherModelException e)
        {
            return (new() { Trouble = RestoreTrouble.OtherModel, Error = e.Message }, null);
        }
        catch (CheckpointException e)
        {
            return (new() { Trouble = RestoreTrouble.Damaged, Error = e.Message }, null);
        }
        catch (StoreException e)
        {
            return (new() { Trouble = RestoreTrouble.Store, Error = e.Message }, null);
        }
    }

    private async Task<RestoreResult> AgreeAsync(int candidate, RestoreResult mine, CancellationToken ct)
    {
        var all = string.Create(CultureInfo.InvariantCulture, $"restore/{candidate}");
        if (_exchange.Rank != 0)
        {
            await _exchange.PublishAsync($"{all}/{_exchange.Rank}", Bytes(mine), ct);
            return Parse(await _exchange.WaitAsync(all, ct));
        }

        var worst = mine;
        for (var rank = 1; rank < _exchange.WorldSize; rank++)
        {
            var key = $"{all}/{rank}";
            var result = Parse(await _exchange.WaitAsync(key, ct));
            await _exchange.RemoveAsync(key, ct);
            if (result.Trouble > worst.Trouble) worst = result with { Error = $"rank {rank}: {result.Error}" };
        }

        await _exchange.PublishAsync(all, Bytes(worst), ct);
        return worst;
    }

    private static byte[] Bytes(RestoreResult result) => JsonSerializer.SerializeToUtf8Bytes(result, CheckpointJson.Default.RestoreResult);

    private static RestoreResult Parse(byte[] bytes) => JsonSerializer.Deserialize(bytes, CheckpointJson.Default.RestoreResult)!;
}
