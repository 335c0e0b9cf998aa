using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>Relaunches in a row without a new checkpoint: what the no-progress limit and the back-off count. Read off the kept plans.</summary>
internal static class Progress
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(5);

    /// <summary>Launches caused by faults that resumed from the same checkpoint as the next one would.</summary>
    public static int LaunchesWithoutProgress(Situation s, CheckpointSummary? resume)
    {
        var since = s.Seen.StatefulSet?.CountersSince ?? DateTimeOffset.MinValue;
        return s.Seen.Plans.Select(p => p.Plan).Where(p => p.Revision == 0).OrderByDescending(p => p.Epoch)
            .TakeWhile(p => p.Resume?.ManifestDigest == resume?.ManifestDigest && p.CreatedAt >= since && !Reasons.Wanted.Contains(p.Cause.Reason))
            .Count();
    }

    /// <summary>Time from the last plan to the next: none at first, then 5 s doubling to 5 min, spread by a fifth so that jobs do not move in step.</summary>
    public static TimeSpan BackOff(int launchesWithoutProgress, string causeId)
    {
        if (launchesWithoutProgress == 0) return TimeSpan.Zero;
        var delay = FirstDelay * Math.Pow(2, Math.Min(launchesWithoutProgress - 1, 16));
        return (delay < LongestDelay ? delay : LongestDelay) * (0.9 + 0.2 * Spread(causeId));
    }

    /// <summary>A number in [0, 1) that depends on nothing but the text (FNV-1a).</summary>
    private static double Spread(string text) => Fnv.Hash(text) % 1000 / 1000.0;
}

/// <summary>FNV-1a over UTF-16 units: the same in every process, unlike string.GetHashCode.</summary>
internal static class Fnv
{
    public static uint Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var unit in text) hash = (hash ^ unit) * 16777619u;
        return hash;
    }
}
