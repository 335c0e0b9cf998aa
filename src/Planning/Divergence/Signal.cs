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
        // A skipped attempt's gradient overflowed at that loss scale: that is what the loss scale and the skipped rate are about.
        Signal.GradientNorm => record.Skipped ? null : record.GradientNorm ?? double.NaN,
        Signal.ActivationNorm => record.ActivationNorm,
        Signal.LossScale => record.LossScale,
        Signal.SkippedRate => record.Skipped ? 1 : 0,
        Signal.ValidationLoss => record.Validation.Count == 0 ? null : record.Validation.Average(v => v.Loss),
        _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, null),
    };

    /// <summary>The signals bounded by a trigger; its nested ones not included.</summary>
    public static IEnumerable<(Signal Signal, SignalBoundSpec Bound)> Bounds(SignalBounds trigger)
    {
        if (trigger.Loss is { } loss) yield return (Signal.Loss, loss);
        if (trigger.ValidationLoss is { } validation) yield return (Signal.ValidationLoss, validation);
        if (trigger.LossScale is { } scale) yield return (Signal.LossScale, scale);
        if (trigger.GradientNorm is { } gradient) yield return (Signal.GradientNorm, gradient);
        if (trigger.ActivationNorm is { } activation) yield return (Signal.ActivationNorm, activation);
        if (trigger.SkippedRate is { } skipped) yield return (Signal.SkippedRate, skipped);
    }

    /// <summary>All signals that the trigger looks at.</summary>
    public static IEnumerable<(Signal Signal, SignalBoundSpec Bound)> All(DivergenceTriggerSpec trigger) =>
        [.. Bounds(trigger), .. trigger.All.Concat(trigger.Any).SelectMany(t => Bounds(t))];
}
