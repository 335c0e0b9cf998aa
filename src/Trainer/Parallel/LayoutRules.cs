using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Parallel;

/// <summary>What a layout must satisfy; `opt-trainer plan`, `train` and every worker use the same rules.</summary>
public static class LayoutRules
{
    /// <summary>One message per fault, each naming field, value and what is allowed; empty when the layout can run.</summary>
    public static IReadOnlyList<string> Check(ModelDimensions model, int sequenceLength, int worldSize, int tensorParallel)
    {
        List<string> faults = [];
        Positive(faults, "model.layers", model.Layers);
        Positive(faults, "model.hiddenSize", model.HiddenSize);
        Positive(faults, "model.heads", model.Heads);
        Positive(faults, "model.ffnSize", model.FfnSize);
        Positive(faults, "model.vocabSize", model.VocabSize);
        Positive(faults, "model.maxPositions", model.MaxPositions);
        Positive(faults, "training.sequenceLength", sequenceLength);
        Positive(faults, "topology.tensorParallel", tensorParallel);
        if (faults.Count > 0) return faults;
        if (model.HiddenSize % model.Heads != 0) faults.Add($"model.heads: {model.Heads} does not divide model.hiddenSize {model.HiddenSize}");
        if (sequenceLength > model.MaxPositions) faults.Add($"training.sequenceLength: {sequenceLength} is longer than model.maxPositions {model.MaxPositions}");
        if (model.VocabSize > ushort.MaxValue + 1) faults.Add($"model.vocabSize: {model.VocabSize} is above {ushort.MaxValue + 1}, the most that 16-bit corpora can hold");
        if (worldSize % tensorParallel != 0) faults.Add($"topology.tensorParallel: {tensorParallel} does not divide the {worldSize} workers");
        Divides(faults, tensorParallel, "model.heads", model.Heads);
        Divides(faults, tensorParallel, "model.vocabSize", model.VocabSize);
        Divides(faults, tensorParallel, "model.ffnSize", model.FfnSize);
        if (tensorParallel > 1 && model.EmbeddingSize != model.HiddenSize) faults.Add("topology.tensorParallel: the 350M layout with its own embedding width runs with 1 only");
        return faults;
    }

    /// <exception cref="TrainerException">Configuration, with all faults in one line.</exception>
    public static void Require(TrainingConfig config, int worldSize) =>
        Require(config.Model, config.SequenceLength, config.BatchTokens, config.MicroBatchSequences, worldSize, config.TensorParallel);

    /// <exception cref="TrainerException">Configuration, with all faults in one line.</exception>
    public static void Require(ModelDimensions model, int sequenceLength, long batchTokens, int microBatch, int worldSize, int tensorParallel)
    {
        List<string> faults = [.. Check(model, sequenceLength, worldSize, tensorParallel)];
        Positive(faults, "training.batchTokens", batchTokens);
        Positive(faults, "training.microBatchSequences", microBatch);
        if (sequenceLength > 0 && batchTokens % sequenceLength != 0) faults.Add($"training.batchTokens: {batchTokens} is not a multiple of training.sequenceLength {sequenceLength}");
        if (faults.Count > 0) throw new TrainerException(WorkerExit.Configuration, string.Join("; ", faults));
    }

    private static void Positive(List<string> faults, string field, long value)
    {
        if (value <= 0) faults.Add($"{field}: {value} is not allowed; at least 1");
    }

    private static void Divides(List<string> faults, int tensorParallel, string field, int value)
    {
        if (value % tensorParallel != 0) faults.Add($"topology.tensorParallel: {tensorParallel} does not divide {field} {value}");
    }
}
