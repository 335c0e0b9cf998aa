using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Validation;

/// <summary>What may never change in a job: a checkpoint of the old value could not be read, or would silently mean something else.</summary>
public static class Immutability
{
    /// <summary>Faults of changing <paramref name="old"/> into <paramref name="new"/>, both as the user wrote them.</summary>
    public static EquatableList<SpecFault> Faults(OptTrainingJobSpec old, OptTrainingJobSpec @new)
    {
        ArgumentNullException.ThrowIfNull(old);
        ArgumentNullException.ThrowIfNull(@new);
        return
        [
            .. Changed("model.preset", old.Model.Preset, @new.Model.Preset),
            .. Changed("model.layers", old.Model.Layers, @new.Model.Layers),
            .. Changed("model.hiddenSize", old.Model.HiddenSize, @new.Model.HiddenSize),
            .. Changed("model.heads", old.Model.Heads, @new.Model.Heads),
            .. Changed("model.ffnSize", old.Model.FfnSize, @new.Model.FfnSize),
            .. Changed("model.vocabSize", old.Model.VocabSize, @new.Model.VocabSize),
            .. Changed("model.maxPositions", old.Model.MaxPositions, @new.Model.MaxPositions),
            .. Changed("topology.acceleratorsPerNode", old.Topology.AcceleratorsPerNode, @new.Topology.AcceleratorsPerNode),
            .. Changed("topology.tensorParallel", old.Topology.TensorParallel, @new.Topology.TensorParallel),
            .. Changed("data.order", old.Data.Order, @new.Data.Order),
            .. Changed("training.sequenceLength", old.Training.SequenceLength, @new.Training.SequenceLength),
            .. Changed("training.precision", old.Training.Precision, @new.Training.Precision),
            .. Changed("training.seed", old.Training.Seed, @new.Training.Seed),
        ];
    }

    /// <summary>Faults of resolving to <paramref name="new"/> when a plan already pinned <paramref name="old"/>: the second line behind the CRD's rules.</summary>
    public static EquatableList<SpecFault> Faults(TrainingConfig old, TrainingConfig @new)
    {
        ArgumentNullException.ThrowIfNull(old);
        ArgumentNullException.ThrowIfNull(@new);
        // Dropout may change; everything else of the model may not.
        var sizes = @new.Model with { Dropout = old.Model.Dropout, AttentionDropout = old.Model.AttentionDropout };
        return
        [
            .. Changed("model", old.Model, sizes),
            .. Changed("topology.tensorParallel", old.TensorParallel, @new.TensorParallel),
            .. Changed("data.order", old.Data.Order, @new.Data.Order),
            .. Changed("training.sequenceLength", old.SequenceLength, @new.SequenceLength),
            .. Changed("training.precision", old.Precision, @new.Precision),
            .. Changed("training.seed", old.Seed, @new.Seed),
        ];
    }

    private static EquatableList<SpecFault> Changed<T>(string field, T old, T @new) => EqualityComparer<T>.Default.Equals(old, @new)
        ? []
        : [new($"spec.{field}", Shown(@new), $"immutable: it was {Shown(old)}; make a new job instead")];

    private static string Shown<T>(T value) => value is null ? SpecFault.Absent : value.ToString()!;
}
