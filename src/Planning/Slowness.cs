using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// A run that became slow as a whole, measured against what the same work took after its best launch on as many machines. Nobody stands out, so
/// nobody is replaced: the remedy is a relaunch in place.
/// </summary>
internal static class Slowness
{
    /// <summary>Attempts after a launch that are left out: files and caches are cold.</summary>
    private const int WarmUp = 10;

    /// <param name="Best">Median seconds after the best launch.</param>
    public sealed record Found(double Seconds, double Best, long Attempt)
    {
        public string Why => FormattableString.Invariant($"attempts take {Seconds:0.###} s, {Seconds / Best:0.00} times as long as after the best launch ({Best:0.###} s)");
    }

    public static Found? Find(Situation s)
    {
        var count = s.Policy.Slowdown.ForSteps;
        var history = s.Seen.Steps.History;
        if (!s.HasStepped || history.Count < count + WarmUp) return null;
        var newest = Trailing(s, count);
        if (newest is null || Launches(s).Select(l => AfterLaunch(history, l, count)).OfType<double>().DefaultIfEmpty(0).Min() is not (> 0 and var best)) return null;
        return newest < s.Policy.Slowdown.Factor * best ? null : new(newest.Value, best, history[^1].Attempt);
    }

    /// <summary>Saves and relaunches; null while there is nothing to do, or only to tell.</summary>
    public static Move? Decide(Situation s)
    {
        if (s.Policy.Slowdown.Mode is PolicyMode.Shadow || s.Straggler is not null || s.Slow is not { } found || !Budgets.Allows(s, Budgets.Current(s), Budgets.Slowdown)) return null;
        return Draining.Decide(s, found.Why) ?? Recovery.Decide(s, new() { Epoch = s.Plan!.Epoch, CauseId = Cause(s), Reason = Reasons.Slow, Severity = Severity.Planned, Message = found.Why, DetectedAt = s.Now });
    }

    public static Move Watched(Situation s, Move move) => s.Straggler is not null || s.Slow is not { } found || s.Policy.Slowdown.Mode is PolicyMode.Enforce ? move
        : move with { Shadows = [.. move.Shadows, new(Cause(s), "would have relaunched the slow run", $"{found.Why}; failurePolicy.slowdown.mode is Shadow")] };

    public static Fact? Normal(Situation s) => s.Slow is { } found ? Fact.False(ConditionTypes.PaceNormal, "Slow", found.Why) : null;

    /// <summary>Epochs that did the same work on as many machines, the current one included.</summary>
    private static IEnumerable<long> Launches(Situation s)
    {
        // Neither live values nor the checkpoint policy make an attempt longer.
        var now = s.Launched!.Training;
        return s.Seen.Plans.Select(p => p.Plan).Where(p => p.Revision == 0 && p.Members.Count == s.Launched.Members.Count)
            .Where(p => p.Training with { HyperParameters = now.HyperParameters, Checkpoint = now.Checkpoint } == now).Select(p => p.Epoch);
    }

    /// <summary>Median of the newest attempts of this epoch; null when there are too few.</summary>
    private static double? Trailing(Situation s, int count)
    {
        var history = s.Seen.Steps.History;
        var from = history.Count - count;
        return history[from].Epoch != s.Plan!.Epoch ? null : Straggling.Median([.. Enumerable.Range(from, count).Select(i => Seconds(history[i]))]);
    }

    private static double? AfterLaunch(IReadOnlyList<StepRecord> history, long epoch, int count)
    {
        var first = First(history, epoch) + WarmUp;
        return first + count > history.Count || history[first + count - 1].Epoch != epoch ? null : Straggling.Median([.. Enumerable.Range(first, count).Select(i => Seconds(history[i]))]);
    }

    /// <summary>Index of the first record of that epoch or a later one: a lineage's epochs only rise.</summary>
    private static int First(IReadOnlyList<StepRecord> history, long epoch)
    {
        var (low, high) = (0, history.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (history[middle].Epoch < epoch) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private static double Seconds(StepRecord record) => record.Seconds - record.Timing.CheckpointStall;

    private static string Cause(Situation s) => $"slow-{s.Plan!.Epoch}";
}
