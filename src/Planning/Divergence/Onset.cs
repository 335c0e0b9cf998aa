using Opt.Api.Protocol;

namespace Opt.Planning.Divergence;

/// <summary>
/// Where the trouble began, as opposed to where a threshold was crossed. For each signal: the start of the run of raised values that leads
/// up to the firing attempt, raised against the window before the run; for the loss scale: the first halving not followed by growth. The
/// earliest of all signals counts, since norms usually move before the loss does.
/// </summary>
public static class Onset
{
    /// <summary>A value counts as raised above this many robust sigmas.</summary>
    private const double RaisedSigmas = 3;

    /// <summary>This many ordinary values in a row end the run when walking back.</summary>
    private const int LongestGap = 3;

    /// <summary>Attempts looked back at, and attempts in one window of them.</summary>
    private const int Recent = 400;

    private const int Window = 50;

    /// <summary>Successful updates before the onset attempt: a checkpoint of this step or older is from before the trouble.</summary>
    public static long Find(IReadOnlyList<StepRecord> history)
    {
        var last = history.Count - 1;
        var onset = last;
        foreach (var signal in (ReadOnlySpan<Signal>)[Signal.Loss, Signal.GradientNorm, Signal.ActivationNorm]) onset = Math.Min(onset, RunStart(signal, history));
        onset = Math.Min(onset, FirstHalving(history));
        return onset == 0 ? 0 : history[onset - 1].Step;
    }

    private static int RunStart(Signal signal, IReadOnlyList<StepRecord> history)
    {
        var last = history.Count - 1;
        var baseline = Baseline(signal, history);
        if (baseline.Count < Trigger.LeastValues) return last;
        var (start, ordinary) = (last, 0);
        for (var at = last; at >= 0 && ordinary < LongestGap; at--)
        {
            var value = Signals.Of(signal, history[at]);
            var raised = value is { } v && (!double.IsFinite(v) || baseline.Above(v) > RaisedSigmas);
            ordinary = raised ? 0 : ordinary + 1;
            if (raised) start = at;
        }

        return start;
    }

    /// <summary>
    /// What was usual: the window with the lowest median among the recent ones. Trouble raises these signals, and a healthy loss falls,
    /// so this is the newest window the trouble has not touched.
    /// </summary>
    private static RobustStatistics Baseline(Signal signal, IReadOnlyList<StepRecord> history)
    {
        var values = history.TakeLast(Recent).Select(r => Signals.Of(signal, r)).OfType<double>().ToArray();
        var quietest = default(RobustStatistics);
        for (var end = values.Length; end >= Window; end -= Window / 5)
        {
            var candidate = RobustStatistics.Of(values[(end - Window)..end]);
            if (candidate.Count >= Trigger.LeastValues && (quietest.Count == 0 || candidate.Median < quietest.Median)) quietest = candidate;
        }

        return quietest;
    }

    private static int FirstHalving(IReadOnlyList<StepRecord> history)
    {
        var first = history.Count - 1;
        for (var at = history.Count - 1; at > 0; at--)
        {
            if (history[at].LossScale > history[at - 1].LossScale) break;
            if (history[at].LossScale < history[at - 1].LossScale || history[at].Skipped) first = at;
        }

        return first;
    }
}
