using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Export;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Cli;

/// <summary>What a local run starts from, and as which epoch of its store.</summary>
/// <param name="Resume">Checkpoint of the configured store, or null.</param>
/// <param name="InitialWeights">Hugging Face folder, or null.</param>
internal sealed record RunStart(string JobUid, long Epoch, CheckpointSummary? Resume, string? InitialWeights)
{
    private const string LocalJob = "local";

    /// <summary>Reads what <c>--resume</c> names and fences the store, so that nothing else writes to it.</summary>
    /// <exception cref="TrainerException">Checkpoint or Configuration: there is no such thing to resume from.</exception>
    public static async Task<RunStart> FindAsync(TrainingConfig config, string? resume, CancellationToken ct)
    {
        var spec = config.Checkpoint.Store;
        var weights = resume is not null && HuggingFaceFolder.Exists(resume) ? Path.GetFullPath(resume) : null;
        if (weights is null && resume is not null && Directory.Exists(resume)) spec = SameStore(spec, resume);
        if (spec.Directory is null && spec.AzureBlob is null)
        {
            return resume is null || weights is not null ? new(LocalJob, 1, null, weights) : throw Nothing(resume, "the configuration has no checkpoint.store");
        }

        await using var store = StoreEnvironment.Read().Open(TimeProvider.System, spec, createRoot: true);
        var (state, uid) = await FenceAsync(store, ct);
        var summary = resume is null || weights is not null ? null : Choose([.. state.Durable.Select(c => c.ToSummary())], resume, store.Description);
        return new(uid, state.FencedEpoch, summary, weights);
    }

    // A run on a person's own machine goes on from whatever job wrote the store.
    private static async Task<(LogState State, string JobUid)> FenceAsync(ICheckpointStore store, CancellationToken ct)
    {
        using var reading = new CommitLog(store, LocalJob, LocalJob, TimeProvider.System);
        var uid = (await reading.ReadAsync(ct)).JobUid ?? LocalJob;
        using var log = new CommitLog(store, uid, LocalJob, TimeProvider.System);
        return (await log.FenceNextAsync(adopt: false, ct), uid);
    }

    private static CheckpointSummary Choose(IReadOnlyList<CheckpointSummary> known, string resume, string store)
    {
        if (known.Count == 0) throw Nothing(resume, $"{store} holds no checkpoint");
        if (!long.TryParse(resume, NumberStyles.None, CultureInfo.InvariantCulture, out var step)) return known[^1];
        return known.LastOrDefault(c => c.Step == step) ?? throw Nothing(resume, $"{store} holds steps {string.Join(", ", known.Select(c => c.Step))}");
    }

    private static StoreSpec SameStore(StoreSpec configured, string folder)
    {
        var full = Path.GetFullPath(folder);
        if (configured is { Directory: null, AzureBlob: null } || configured.Directory is { } directory && Path.GetFullPath(directory.Path) == full) return new() { Directory = new() { Path = full } };
        throw Nothing(folder, "it is neither a Hugging Face folder nor the configured checkpoint.store; set checkpoint.store.directory.path to it, or export it first");
    }

    private static TrainerException Nothing(string resume, string why) => new(WorkerExit.Checkpoint, $"--resume: nothing to resume from at \"{resume}\": {why}");
}
