using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>
/// Interventions on hyper-parameters as absolute values: written into one plan, so that a crash between decision and action can never
/// multiply twice.
/// </summary>
public static class LiveChanges
{
    /// <summary>The hyper-parameters after <paramref name="change"/>; unchanged for interventions that touch none.</summary>
    /// <param name="id">Names the decision; orders that are obeyed once carry it.</param>
    public static HyperParameters Apply(HyperParameters current, InterventionSpec change, string id)
    {
        if (change.LearningRate is { } rate)
        {
            var peak = Changed(current.PeakLearningRate, rate.Set, rate.Multiply, rate.Floor);
            return current with { PeakLearningRate = peak, EndLearningRate = current.EndLearningRate * peak / current.PeakLearningRate };
        }

        if (change.GradientClip is { } clip) return current with { GradientClip = Changed(current.GradientClip, clip.Set, clip.Multiply, clip.Floor) };
        if (change.LossScale is { } scale) return current with { LossScaleReset = new(id, scale) };
        if (change.Optimizer is { } optimizer) return Switched(current, optimizer, id);
        if (change.Change is { } named) return HyperParameterFields.With(current, named.Field, Changed(HyperParameterFields.Get(current, named.Field), named.Set, named.Multiply, named.Floor));
        return current;
    }

    private static HyperParameters Switched(HyperParameters current, OptimizerSwitchSpec to, string id)
    {
        var now = current.Optimizer;
        return current with
        {
            Optimizer = now with { Type = to.Type ?? now.Type, Beta1 = to.Beta1 ?? now.Beta1, Beta2 = to.Beta2 ?? now.Beta2, Eps = to.Eps ?? now.Eps, WeightDecay = to.WeightDecay ?? now.WeightDecay },
            OptimizerReset = to.State is OptimizerState.Drop ? id : current.OptimizerReset,
        };
    }

    /// <summary>The floor bounds what the change may do; a value below it already is not raised.</summary>
    private static double Changed(double value, double? set, double? multiply, double floor)
    {
        var wanted = set ?? value * (multiply ?? 1);
        return wanted >= value ? wanted : Math.Max(wanted, Math.Min(value, floor));
    }
}
