using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>Interventions as absolute values: written into one plan, so that a crash between decision and action can never multiply twice.</summary>
public static class Interventions
{
    /// <summary>The hyper-parameters after <paramref name="change"/>; unchanged for interventions that touch none.</summary>
    public static HyperParameters Apply(HyperParameters current, InterventionSpec change)
    {
        if (change.LearningRate is { } rate)
        {
            var peak = Changed(current.PeakLearningRate, rate);
            return current with { PeakLearningRate = peak, EndLearningRate = current.EndLearningRate * peak / current.PeakLearningRate };
        }

        if (change.GradientClip is { } clip) return current with { GradientClip = Changed(current.GradientClip, clip) };
        if (change.Optimizer is { } optimizer) return current with { Optimizer = optimizer };
        return current;
    }

    /// <summary>
    /// The checkpoint to go back to, newest first: never a condemned one, and for lastHealthy only a healthy one from before the onset.
    /// Null when there is none.
    /// </summary>
    public static CheckpointSummary? Target(RollbackSpec rollback, IEnumerable<CheckpointSummary> checkpoints, long onsetStep)
    {
        var candidates = checkpoints.Where(c => c.Verdict is not HealthVerdict.Condemned).OrderByDescending(c => c.Step).ThenByDescending(c => c.Entry);
        if (rollback.Step is { } step) return candidates.FirstOrDefault(c => c.Step <= step);
        if (rollback.Checkpoints is { } back) return candidates.Skip(back - 1).FirstOrDefault();
        return candidates.FirstOrDefault(c => c.Verdict is HealthVerdict.Healthy && c.Step <= onsetStep);
    }

    private static double Changed(double value, ChangeSpec change) => Math.Max(change.Floor, change.Set ?? value * (change.Multiply ?? 1));
}
