using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>One number per attempt that a trigger can look at.</summary>
public enum Signal { Loss, ValidationLoss, LossScale, GradientNorm, ActivationNorm, SkippedRate }

/// <summary>Reads signals from step records.</summary>
public static class Signals
{
    /// <summary>The value at one attempt; NaN stands for a value that was not finite, null for none (no validation on that attempt).</summary>
    public static double? Of(Signal signal, StepRecord record) => signal switch
    {
        Signal.Loss => record.Loss ?? double.NaN,
        Signal.GradientNorm => record.GradientNorm ?? double.NaN,
        Signal.ActivationNorm => record.ActivationNorm,
        Signal.LossScale => record.LossScale,
        Signal.SkippedRate => record.Skipped ? 1 : 0,
        Signal.ValidationLoss => record.Validation.Count == 0 ? null : record.Validation.Average(v => v.Loss),
        _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, null),
    };

    /// <summary>The signal and bound a leaf trigger names; null for all/any.</summary>
    public static (Signal Signal, ThresholdSpec Bound)? Leaf(TriggerSpec trigger) =>
        trigger.Loss is { } loss ? (Signal.Loss, loss)
        : trigger.ValidationLoss is { } validation ? (Signal.ValidationLoss, validation)
        : trigger.LossScale is { } scale ? (Signal.LossScale, scale)
        : trigger.GradientNorm is { } gradient ? (Signal.GradientNorm, gradient)
        : trigger.ActivationNorm is { } activation ? (Signal.ActivationNorm, activation)
        : trigger.SkippedRate is { } skipped ? (Signal.SkippedRate, skipped)
        : null;
}
