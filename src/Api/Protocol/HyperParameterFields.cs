using System.Globalization;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>Reads and writes live hyper-parameters by name. All values are numbers; the optimizer type counts as 0 (adamw) or 1 (sgd).</summary>
public static class HyperParameterFields
{
    public static readonly EquatableList<HyperParameterField> All = [.. Enum.GetValues<HyperParameterField>()];

    public static double Get(HyperParameters values, HyperParameterField field) => field switch
    {
        HyperParameterField.PeakLearningRate => values.PeakLearningRate,
        HyperParameterField.EndLearningRate => values.EndLearningRate,
        HyperParameterField.WarmupSteps => values.WarmupSteps,
        HyperParameterField.DecaySteps => values.DecaySteps,
        HyperParameterField.GradientClip => values.GradientClip,
        HyperParameterField.OptimizerType => (int)values.Optimizer.Type,
        HyperParameterField.Beta1 => values.Optimizer.Beta1,
        HyperParameterField.Beta2 => values.Optimizer.Beta2,
        HyperParameterField.Eps => values.Optimizer.Eps,
        HyperParameterField.WeightDecay => values.Optimizer.WeightDecay,
        HyperParameterField.LossScaleWindow => values.LossScaleWindow,
        HyperParameterField.LossScaleFloor => values.LossScaleFloor,
        _ => throw new ArgumentOutOfRangeException(nameof(field), field, null),
    };

    public static HyperParameters With(HyperParameters values, HyperParameterField field, double value) => field switch
    {
        HyperParameterField.PeakLearningRate => values with { PeakLearningRate = value },
        HyperParameterField.EndLearningRate => values with { EndLearningRate = value },
        HyperParameterField.WarmupSteps => values with { WarmupSteps = (long)value },
        HyperParameterField.DecaySteps => values with { DecaySteps = (long)value },
        HyperParameterField.GradientClip => values with { GradientClip = value },
        HyperParameterField.OptimizerType => values with { Optimizer = values.Optimizer with { Type = (OptimizerType)(int)value } },
        HyperParameterField.Beta1 => values with { Optimizer = values.Optimizer with { Beta1 = value } },
        HyperParameterField.Beta2 => values with { Optimizer = values.Optimizer with { Beta2 = value } },
        HyperParameterField.Eps => values with { Optimizer = values.Optimizer with { Eps = value } },
        HyperParameterField.WeightDecay => values with { Optimizer = values.Optimizer with { WeightDecay = value } },
        HyperParameterField.LossScaleWindow => values with { LossScaleWindow = Math.Max(1, (int)value) },
        HyperParameterField.LossScaleFloor => values with { LossScaleFloor = value },
        _ => throw new ArgumentOutOfRangeException(nameof(field), field, null),
    };

    /// <summary>The name as written in a spec: camelCase.</summary>
    public static string Name(HyperParameterField field) => char.ToLowerInvariant($"{field}"[0]) + $"{field}"[1..];

    /// <summary>The value as people write it.</summary>
    public static string Text(HyperParameterField field, double value) => field is HyperParameterField.OptimizerType
        ? $"{(OptimizerType)(int)value}".ToLowerInvariant()
        : value.ToString("G6", CultureInfo.InvariantCulture);

    /// <summary>The fields that differ, as "name old -> new".</summary>
    public static string Differences(HyperParameters old, HyperParameters now) => string.Join(", ", All.Where(f => !Get(old, f).Equals(Get(now, f)))
        .Select(f => $"{Name(f)} {Text(f, Get(old, f))} -> {Text(f, Get(now, f))}"));
}
