using Opt.Api.V1Alpha1;

namespace Opt.Api.Protocol;

/// <summary>
/// The live values of a run, absolute: adopted by all ranks at a step boundary, reported in every step record, stored in checkpoints for
/// the record but never restored from them.
/// </summary>
public sealed record HyperParameters
{
    public required double PeakLearningRate { get; init; }
    public required double EndLearningRate { get; init; }

    /// <summary>Updates of linear warm-up; after n updates the rate is peak * n / warm-up (rate(0) = 0). 0 for none.</summary>
    public required long WarmupSteps { get; init; }

    /// <summary>Update at which the linear decay reaches <see cref="EndLearningRate"/>.</summary>
    public required long DecaySteps { get; init; }

    /// <summary>Global L2 norm; 0 for no clipping.</summary>
    public required double GradientClip { get; init; }

    public required OptimizerSpec Optimizer { get; init; }
    public required int LossScaleWindow { get; init; }
    public required double LossScaleFloor { get; init; }
    public required LossScaleWindow LossScaleWindowRule { get; init; }

    /// <summary>Loss scale of a run that starts from nothing; a resumed run continues with the scaler's own state.</summary>
    public required double LossScaleInitial { get; init; }

    /// <summary>Updates after which the run is complete.</summary>
    public required long TotalSteps { get; init; }

    /// <summary>Sets the loss scale once, when it first comes into force in a lineage.</summary>
    public LossScaleReset? LossScaleReset { get; init; }

    /// <summary>Id of an order to forget the optimizer's moments, obeyed once in a lineage.</summary>
    public string? OptimizerReset { get; init; }

    /// <summary>
    /// Learning rate of the next update after <paramref name="step"/> successful ones (metaseq polynomial_decay_schedule.py, power 1):
    /// linear warm-up from 0, linear decay to <see cref="EndLearningRate"/>, constant after it.
    /// </summary>
    public double LearningRateAt(long step)
    {
        if (WarmupSteps > 0 && step <= WarmupSteps) return PeakLearningRate * step / WarmupSteps;
        if (step >= DecaySteps) return EndLearningRate;
        var done = (double)(step - WarmupSteps) / (DecaySteps - WarmupSteps);
        return (PeakLearningRate - EndLearningRate) * (1 - done) + EndLearningRate;
    }
}
