using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning.Divergence;

/// <summary>
/// Where the trouble began, as opposed to where a threshold was crossed. For each signal: the start of the run of raised values that leads
/// up to the firing attempt, raised against the quietest window before it; for the loss scale: the first of the overflows that lead up to
/// it. The earliest of all signals counts, since norms usually move before the loss does.
/// </summary>
public static class Onset
{
    /// <summary>A value counts as raised above this many robust sigmas.</summary>
    private const double RaisedSigmas = 4;

    /// <summary>This many ordinary values in a row end the run when walking back.</summary>
    private const int LongestGap = 3;

    /// <summary>Overflows further apart than this do not belong to the same trouble: a healthy dynamic loss scale halves now and then.</summary>
    private const int LongestCalm = 20;

    /// <summary>Attempts looked back at, and attempts in one window of them.</summary>
    private const int Recent = 400;

    private const int Window = 50;

    /// <summary>Index of the attempt at which the trouble that shows at <paramref name="last"/> began.</summary>
    public static int Find(IReadOnlyList<StepRecord> history, int last)
    {
        var onset = FirstOverflow(history, last);
        foreach (var signal in (ReadOnlySpan<Signal>)[Signal.Loss, Signal.GradientNorm, Signal.ActivationNorm]) onset = Math.Min(onset, RunStart(signal, history, last));
        return onset;
    }

    /// <summary>Successful updates before the onset attempt: a checkpoint of this step or older is from before the trouble.</summary>
    public static long StepBefore(IReadOnlyList<StepRecord> history, int onset) =>
        onset > 0 ? history[onset - 1].Step : Math.Max(0, history[0].Step - (history[0].Skipped ? 0 : 1));

    private static int RunStart(Signal signal, IReadOnlyList<StepRecord> history, int last)
    {
        var baseline = Baseline(signal, history, last);
        if (baseline.Count < Trigger.LeastValues) return last;
        var (start, ordinary) = (last, 0);
        for (var at = last; at >= 0 && ordinary < LongestGap; at--)
        {
            if (Signals.Of(signal, history[at]) is not { } value) continue;
            var raised = !double.IsFinite(value) || baseline.Above(value) > RaisedSigmas;
            ordinary = raised ? 0 : ordinary + 1;
            if (raised) start = at;
        }

        return start;
    }

    /// <summary>
    /// What was usual: the window with the lowest median among the recent ones. Trouble raises these signals, and a healthy loss falls,
    /// so this is the newest window the trouble has not touched.
    /// </summary>
    private static RobustStatistics Baseline(Signal signal, IReadOnlyList<StepRecord> history, int last)
    {
        var from = Math.Max(0, last + 1 - Recent);
        var values = Enumerable.Range(from, last + 1 - from).Select(i => Signals.Of(signal, history[i])).OfType<double>().ToArray();
        var quietest = default(RobustStatistics);
        for (var end = values.Length; end >= Math.Min(Window, values.Length) && end >= Trigger.LeastValues; end -= Window / 5)
        {
            var candidate = RobustStatistics.Of(values[Math.Max(0, end - Window)..end]);
            if (candidate.Count >= Trigger.LeastValues && (quietest.Count == 0 || candidate.Median < quietest.Median)) quietest = candidate;
        }

        return quietest;
    }

    private static int FirstOverflow(IReadOnlyList<StepRecord> history, int last)
    {
        var first = last;
        for (var at = last; at > 0 && first - at <= LongestCalm; at--)
        {
            if (history[at].Skipped || history[at].LossScale < history[at - 1].LossScale) first = history[at].Skipped ? at : at - 1;
        }

        return first;
    }
}
