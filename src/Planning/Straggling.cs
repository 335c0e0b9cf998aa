using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// One machine that holds all others up: synchronous training goes at the pace of the slowest. Judged by the time that ranks worked, not by the time
/// they took: who waits for the straggler takes as long.
/// </summary>
internal static class Straggling
{
    public const string CausePrefix = "straggler-";

    /// <summary>Share of the attempts in which it must be the slowest: chance spreads the last place over all.</summary>
    private const double Share = 0.8;

    /// <param name="Ratio">Median over the attempts of its working time over that of the median rank.</param>
    public sealed record Found(Member Member, double Ratio, int Attempts)
    {
        public string Why => FormattableString.Invariant($"the ranks of {Member.Planned.Pod} on {Member.Planned.Node} worked {Ratio:0.00} times as long as the median rank over {Attempts} attempts");
    }

    public static Found? Find(Situation s)
    {
        var policy = s.Policy.Straggler;
        if (!s.HasStepped || s.Members.Count < 2) return null;
        var judged = Newest(s, policy.ForSteps).ToArray();
        if (judged.Length < policy.ForSteps) return null;
        var slowest = judged.GroupBy(r => r.Slowest!.Value.Rank / s.Plan!.WorkersPerMember).MaxBy(g => g.Count())!;
        if (slowest.Count() < Share * judged.Length || slowest.Key >= s.Members.Count) return null;
        var ratio = Median([.. slowest.Select(r => r.Slowest!.Value).Where(p => p.Typical > 0).Select(p => p.Seconds / p.Typical)]);
        return ratio < policy.Factor ? null : new(s.Members[slowest.Key], ratio, judged.Length);
    }

    /// <summary>Saves and replaces the node; null while there is nothing to do, or only to tell.</summary>
    public static Move? Decide(Situation s)
    {
        if (s.Policy.Straggler.Mode is PolicyMode.Shadow || s.Straggler is not { } found || !Budgets.Allows(s, Budgets.Current(s), Budgets.Straggler)) return null;
        // With the breaker open, or without a machine in its place, a slow one is better than none.
        if (s.Seen.QuarantineRoom <= 0 || Leaving.Spares(s) == 0) return null;
        return Draining.Decide(s, found.Why) ?? Recovery.Decide(s, new()
        {
            Epoch = s.Plan!.Epoch, CauseId = Cause(s, found), Reason = Reasons.Straggler, Severity = Severity.Node, Message = found.Why, DetectedAt = s.Now,
            Pod = found.Member.Planned.Pod, PodUid = found.Member.Planned.PodUid, Node = found.Member.Planned.Node,
        });
    }

    public static Move Watched(Situation s, Move move) => s.Straggler is not { } found || s.Policy.Straggler.Mode is PolicyMode.Enforce ? move
        : move with { Shadows = [.. move.Shadows, new($"{Cause(s, found)}", $"would have quarantined the straggling node {found.Member.Planned.Node} and replaced its pod", $"{found.Why}; failurePolicy.straggler.mode is Shadow")] };

    public static Fact? Normal(Situation s) => s.Straggler is { } found ? Fact.False(ConditionTypes.PaceNormal, "Straggler", found.Why) : null;

    public static double Median(double[] values)
    {
        if (values.Length == 0) return 0;
        Array.Sort(values);
        return values[values.Length / 2];
    }

    private static IEnumerable<Opt.Api.Protocol.StepRecord> Newest(Situation s, int count)
    {
        for (var i = s.Seen.Steps.History.Count - 1; i >= 0 && count > 0; i--)
        {
            var record = s.Seen.Steps.History[i];
            if (record.Epoch != s.Plan!.Epoch) yield break;
            if (record.Slowest is null) continue;
            count--;
            yield return record;
        }
    }

    private static string Cause(Situation s, Found found) => $"{CausePrefix}{found.Member.Planned.Node}-{s.Plan!.Epoch}";
}
