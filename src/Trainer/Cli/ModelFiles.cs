using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Export;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Opt.Trainer.Stores;
using static Opt.Torch.torch;

namespace Opt.Trainer.Cli;

/// <summary>Whole models in one process, from and to the two forms they have on disk: a Hugging Face folder, and a checkpoint in a store folder.</summary>
internal static class ModelFiles
{
    private const string Writer = "opt-trainer";

    /// <summary>The model of either form with its weights; the caller owns the storage.</summary>
    /// <param name="step">Step of a store folder; null for the newest.</param>
    /// <exception cref="TrainerException">Checkpoint: neither form, or damaged.</exception>
    public static async Task<(ModelDimensions Model, ShardStorage Storage)> LoadAsync(string folder, long? step, CancellationToken ct)
    {
        if (HuggingFaceFolder.Exists(folder))
        {
            var model = HuggingFaceFolder.ReadModel(folder);
            var storage = NewStorage(model, moments: false);
            HuggingFaceFolder.Load(folder, model, storage);
            return (model, storage);
        }

        await using var store = Open(folder, create: false);
        using var log = new CommitLog(store, Writer, Writer, TimeProvider.System);
        var known = (await log.ReadAsync(ct)).Durable.Select(c => c.ToSummary()).ToList();
        var chosen = step is null ? known.LastOrDefault() : known.LastOrDefault(c => c.Step == step);
        if (chosen is null) throw new TrainerException(WorkerExit.Checkpoint, $"{folder} is neither a Hugging Face folder nor a store with {(step is null ? "a checkpoint" : $"a checkpoint of step {step}")}");
        var reader = await CheckpointReader.OpenAsync(store, chosen, ct);
        var restored = NewStorage(reader.Manifest.Model, moments: false);
        await reader.LoadAsync(restored.Describe(), restored.Buffers(), null, ct);
        return (reader.Manifest.Model, restored);
    }

    /// <summary>A storage that holds a whole model.</summary>
    public static ShardStorage NewStorage(ModelDimensions model, bool moments) => new(OptParameters.Units(model), new(0, 1, 1), Precision.Fp32, moments, CPU);

    /// <summary>Commits the weights, with fresh optimizer states, as the checkpoint of step 0 in a store folder.</summary>
    public static async Task SaveAsync(string folder, ModelDimensions model, ShardStorage storage, long seed, CancellationToken ct)
    {
        await using var store = Open(folder, create: true);
        using var log = new CommitLog(store, Writer, Writer, TimeProvider.System);
        var fenced = await log.FenceNextAsync(adopt: false, ct);
        await using var session = new CheckpointSession(new()
        {
            Store = store,
            JobUid = Writer,
            Epoch = fenced.FencedEpoch,
            Model = model,
            Spec = new() { Store = new() { Directory = new() { Path = folder } } },
            Layout = storage.Describe(),
            Buffers = storage.Buffers(),
            Exchange = InProcessExchange.Create(1)[0],
            Writer = Writer,
        }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<CheckpointSession>.Instance);
        session.Save(StepZero(fenced.FencedEpoch, seed));
        await session.WaitUntilSavedAsync(ct);
        if (!session.TryTakeOutcome(out var outcome) || !outcome.Committed) throw new TrainerException(WorkerExit.Store, $"{folder}: the checkpoint was not committed: {outcome?.Error}");
    }

    private static TrainingState StepZero(long epoch, long seed) => new()
    {
        Attempt = 0,
        Step = 0,
        Samples = 0,
        Tokens = 0,
        Lineage = $"{epoch}",
        DataFingerprint = "",
        EnvironmentHash = $"seed {seed}",
        HyperParameters = new()
        {
            PeakLearningRate = 0, EndLearningRate = 0, WarmupSteps = 0, DecaySteps = 0, GradientClip = 0, Optimizer = new(), TotalSteps = 0,
            LossScaleInitial = 1, LossScaleWindow = 1, LossScaleFloor = 0, LossScaleWindowRule = LossScaleWindow.Fixed,
        },
    };

    private static ICheckpointStore Open(string folder, bool create) =>
        new StoreEnvironment { Credentials = new() }.Open(TimeProvider.System, new() { Directory = new() { Path = Path.GetFullPath(folder) } }, createRoot: create);
}
