using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>Whether a trigger holds at an attempt. History is one lineage, oldest first, one record an attempt.</summary>
public static class Trigger
{
    /// <summary>Fewer values than this in the window and spike, drift and plateau never hold: too little is known.</summary>
    public const int LeastValues = 20;

    /// <summary>True when the trigger holds at the attempt of index <paramref name="last"/>.</summary>
    public static bool Fires(DivergenceTriggerSpec trigger, IReadOnlyList<StepRecord> history, int last)
    {
        if (last < 0 || history[last].Step < trigger.AfterStep) return false;
        if (trigger.All.Count > 0) return trigger.All.All(t => Holds(t, history, last));
        return trigger.Any.Count > 0 ? trigger.Any.Any(t => Holds(t, history, last)) : Holds(trigger, history, last);
    }

    private static bool Holds(SignalBounds trigger, IReadOnlyList<StepRecord> history, int last) =>
        Signals.Bounds(trigger).Select(b => HoldsLongEnough(b.Signal, b.Bound, history, last)).FirstOrDefault();

    private static bool HoldsLongEnough(Signal signal, SignalBoundSpec bound, IReadOnlyList<StepRecord> history, int last)
    {
        // What is not on this attempt (a validation) cannot fire on it.
        if (Signals.Of(signal, history[last]) is null) return false;
        var (steps, at) = (0, last);
        var from = bound.ForSeconds is { } seconds ? history[last].Time - TimeSpan.FromSeconds(seconds) : DateTimeOffset.MaxValue;
        // What was usual before the run of bad values, judged once: the run itself must not become the usual.
        var baseline = Baseline(signal, bound, history, last);
        for (; at >= 0 && (steps < bound.ForSteps || (from != DateTimeOffset.MaxValue && history[at].Time > from)); at--)
        {
            if (Signals.Of(signal, history[at]) is not { } value) continue;
            if (!Exceeds(signal, bound, history, at, value, baseline)) return false;
            steps++;
        }

        return steps >= bound.ForSteps && (from == DateTimeOffset.MaxValue || at >= 0);
    }

    private static RobustStatistics Baseline(Signal signal, SignalBoundSpec bound, IReadOnlyList<StepRecord> history, int last) =>
        bound.Spike is null ? default : RobustStatistics.Falling(Window(signal, history, Back(signal, history, last, bound.ForSteps), bound.Window));

    private static bool Exceeds(Signal signal, SignalBoundSpec bound, IReadOnlyList<StepRecord> history, int at, double value, RobustStatistics baseline)
    {
        if (bound.NotFinite is { } wanted) return wanted == !double.IsFinite(value);
        if (bound.Spike is { } sigmas) return baseline.Count >= LeastValues && (!double.IsFinite(value) || baseline.Above(value) > sigmas);
        if (signal is Signal.SkippedRate) value = Rate(signal, bound, history, at);
        if (bound.Above is { } above) return value > above || double.IsNaN(value);
        if (bound.Below is { } below) return value < below;
        var window = Window(signal, history, at + 1, bound.Window);
        if (bound.Falls is { } falls) return window.Zip(window.Skip(1)).Count(p => p.Second < p.First) >= falls;
        if (bound.Rises is { } rises) return window.Length > rises && window[^rises..].Min() > window[..^rises].Min();
        if (window.Length < Math.Max(LeastValues, bound.Window)) return false;
        if (bound.Drift is { } ratio) return Ratio(window, window.Length / 4) > ratio;
        return bound.Plateau is { } share && Ratio(window, window.Length / 2) > 1 - share;
    }

    private static double Rate(Signal signal, SignalBoundSpec bound, IReadOnlyList<StepRecord> history, int at) =>
        at + 1 < Math.Min(bound.Window, LeastValues) ? 0 : Window(signal, history, at + 1, bound.Window).DefaultIfEmpty(0).Average();

    /// <summary>Median of the newest values over that of the oldest.</summary>
    private static double Ratio(double[] window, int part)
    {
        var before = RobustStatistics.Of(window[..part]);
        var after = RobustStatistics.Of(window[^part..]);
        return before.Count > 0 && after.Count > 0 && before.Median > 0 ? after.Median / before.Median : 1;
    }

    /// <summary>The index at which the newest <paramref name="count"/> values begin.</summary>
    private static int Back(Signal signal, IReadOnlyList<StepRecord> history, int last, int count)
    {
        var at = last + 1;
        while (at > 0 && count > 0)
        {
            if (Signals.Of(signal, history[--at]) is not null) count--;
        }

        return at;
    }

    /// <summary>Up to <paramref name="length"/> values before attempt index <paramref name="end"/>.</summary>
    private static double[] Window(Signal signal, IReadOnlyList<StepRecord> history, int end, int length)
    {
        var values = new double[length];
        var at = length;
        for (var i = end - 1; i >= 0 && at > 0; i--)
        {
            if (Signals.Of(signal, history[i]) is { } value) values[--at] = value;
        }

        return values[at..];
    }
}
