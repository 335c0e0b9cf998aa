using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>Applies preset and defaults to a spec, once; the result is pinned in the plan. The spec must have been validated.</summary>
public static class TrainingConfigResolver
{
    /// <summary>OPT's 300 billion tokens.</summary>
    public const long DefaultTotalTokens = 300_000_000_000;

    public static TrainingConfig Resolve(OptTrainingJobSpec spec)
    {
        var preset = spec.Model.Preset is { } name ? ModelPreset.Find(name) : null;
        var tensorParallel = spec.Topology.TensorParallel ?? Math.Min(preset?.TensorParallel ?? 1, spec.Topology.AcceleratorsPerNode);
        var workers = spec.Topology.Nodes * spec.Topology.AcceleratorsPerNode;
        return Resolve(spec.Model, spec.Training, spec.Data, spec.Checkpoint, tensorParallel, workers / tensorParallel, spec.Pod.Device) with { DataParallelShard = spec.Topology.DataParallelShard };
    }

    /// <param name="dataParallel">Data-parallel ranks; only the default growth window of the loss scale depends on it.</param>
    public static TrainingConfig Resolve(ModelSpec model, TrainingSpec training, DataSpec data, CheckpointSpec checkpoint, int tensorParallel, int dataParallel, DeviceKind device)
    {
        var preset = model.Preset is { } name ? ModelPreset.Find(name) : null;
        var dimensions = Dimensions(model);
        var sequenceLength = training.SequenceLength ?? dimensions.MaxPositions;
        var batchTokens = training.BatchTokens ?? preset?.BatchTokens ?? throw new ArgumentException("training.batchTokens is required for custom sizes");
        var batchSequences = checked((int)(batchTokens / sequenceLength));
        return new()
        {
            Model = dimensions,
            TensorParallel = tensorParallel,
            Device = device,
            Data = data,
            SequenceLength = sequenceLength,
            BatchSequences = batchSequences,
            MicroBatchSequences = training.MicroBatchSequences,
            Precision = training.Precision,
            MasterWeights = training.MasterWeights || training.Precision == Precision.Fp32,
            ActivationCheckpointing = training.ActivationCheckpointing,
            ReshardAfterForward = training.ReshardAfterForward,
            Seed = training.Seed,
            Checkpoint = checkpoint,
            HyperParameters = Live(training, preset, (long)batchSequences * sequenceLength, dataParallel),
        };
    }

    /// <summary>The sizes of a preset, or custom ones, with their defaults.</summary>
    public static ModelDimensions Dimensions(ModelSpec model)
    {
        var dropout = model.Dropout ?? 0.1;
        if (model.Preset is { } name)
        {
            var preset = ModelPreset.Find(name) ?? throw new ArgumentException($"model.preset: \"{name}\" is not a preset");
            return preset.Dimensions with { Dropout = dropout, AttentionDropout = model.AttentionDropout ?? dropout };
        }

        var hidden = model.HiddenSize ?? throw new ArgumentException("model.hiddenSize is required without a preset");
        return new()
        {
            Layers = model.Layers ?? throw new ArgumentException("model.layers is required without a preset"),
            HiddenSize = hidden,
            Heads = model.Heads ?? throw new ArgumentException("model.heads is required without a preset"),
            FfnSize = model.FfnSize ?? 4 * hidden,
            VocabSize = model.VocabSize ?? ModelPreset.VocabSize,
            MaxPositions = model.MaxPositions ?? ModelPreset.SequenceLength,
            EmbeddingSize = hidden,
            PreNorm = true,
            Dropout = dropout,
            AttentionDropout = model.AttentionDropout ?? dropout,
        };
    }

    /// <summary>The live values; token lengths become steps of <paramref name="batchTokens"/>, rounded down (metaseq: int(tokens) // batch).</summary>
    private static HyperParameters Live(TrainingSpec training, ModelPreset? preset, long batchTokens, int dataParallel)
    {
        var peak = training.LearningRate.Peak ?? preset?.PeakLearningRate ?? throw new ArgumentException("training.learningRate.peak is required for custom sizes");
        var decay = training.LearningRate.Decay ?? new();
        var totalTokens = training.TotalTokens ?? DefaultTotalTokens;
        var totalSteps = Math.Max(1, (totalTokens + batchTokens - 1) / batchTokens);
        return new()
        {
            PeakLearningRate = peak,
            EndLearningRate = peak * decay.FinalRatio,
            WarmupSteps = training.LearningRate.Warmup is { } warmup ? warmup.Steps ?? warmup.Tokens!.Value / batchTokens : preset?.WarmupSteps ?? 0,
            DecaySteps = decay.Steps ?? (decay.Tokens ?? totalTokens) / batchTokens,
            GradientClip = training.GradientClip ?? preset?.GradientClip ?? 1.0,
            Optimizer = training.Optimizer,
            LossScaleInitial = training.LossScale.Initial,
            LossScaleWindow = training.LossScale.Window ?? Math.Max(1, 16384 / dataParallel),
            LossScaleFloor = training.LossScale.Floor,
            LossScaleWindowRule = training.LossScale.WindowRule,
            TotalSteps = totalSteps,
        };
    }
}
