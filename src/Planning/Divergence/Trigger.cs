using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>Whether a trigger holds at an attempt. History is one lineage, oldest first, one record an attempt.</summary>
public static class Trigger
{
    /// <summary>Fewer values than this in the window and spike or drift never hold: too little is known.</summary>
    public const int LeastValues = 20;

    /// <summary>True when the trigger holds at the newest attempt and at each of the <see cref="TriggerSpec.ForSteps"/> - 1 before it.</summary>
    public static bool Fires(TriggerSpec trigger, IReadOnlyList<StepRecord> history)
    {
        var last = history.Count - 1;
        if (last < 0 || history.Count < trigger.ForSteps || history[last].Step < trigger.AfterStep) return false;
        for (var at = last; at > last - trigger.ForSteps; at--)
        {
            if (!HoldsAt(trigger, history, at)) return false;
        }

        return true;
    }

    private static bool HoldsAt(TriggerSpec trigger, IReadOnlyList<StepRecord> history, int at)
    {
        if (trigger.All is { } all) return all.All(t => Fires(t, Until(history, at)));
        if (trigger.Any is { } any) return any.Any(t => Fires(t, Until(history, at)));
        return Signals.Leaf(trigger) is var (signal, bound) && Exceeds(signal, bound, history, at);
    }

    private static ArraySegment<StepRecord> Until(IReadOnlyList<StepRecord> history, int at) => new([.. history.Take(at + 1)]);

    private static bool Exceeds(Signal signal, ThresholdSpec bound, IReadOnlyList<StepRecord> history, int at)
    {
        if (Value(signal, bound, history, at) is not { } value) return false;
        if (bound.NotFinite is true) return !double.IsFinite(value);
        if (bound.Above is { } above) return value > above || double.IsNaN(value);
        if (bound.Below is { } below) return value < below;
        var window = Window(signal, history, at, bound.Window);
        if (bound.Spike is { } sigmas)
        {
            var usual = RobustStatistics.Of(window);
            return usual.Count >= LeastValues && (!double.IsFinite(value) || usual.Above(value) > sigmas);
        }

        return bound.Drift is { } ratio && window.Length >= Math.Max(LeastValues, bound.Window) && Drift(window) > ratio;
    }

    private static double? Value(Signal signal, ThresholdSpec bound, IReadOnlyList<StepRecord> history, int at) =>
        signal is Signal.SkippedRate ? Window(signal, history, at + 1, bound.Window).DefaultIfEmpty(0).Average() : Signals.Of(signal, history[at]);

    /// <summary>Up to <paramref name="length"/> values before attempt index <paramref name="end"/>.</summary>
    private static double[] Window(Signal signal, IReadOnlyList<StepRecord> history, int end, int length)
    {
        var values = new List<double>(length);
        for (var at = end - 1; at >= 0 && values.Count < length; at--)
        {
            if (Signals.Of(signal, history[at]) is { } value) values.Add(value);
        }

        values.Reverse();
        return [.. values];
    }

    private static double Drift(double[] window)
    {
        var quarter = window.Length / 4;
        var before = RobustStatistics.Of(window.Take(quarter));
        var after = RobustStatistics.Of(window.TakeLast(quarter));
        return before.Count > 0 && after.Count > 0 && before.Median > 0 ? after.Median / before.Median : 1;
    }
}
