namespace Opt.Planning;

/// <summary>
/// The job's memory of nodes that were named before. Relaunches in place are counted in a short window, so a fault that comes back every
/// quarter of an hour on one node would never use them up: a node that is named again and again within a day is at fault itself.
/// The memory is the causes of the kept plans, so it survives the operator.
/// </summary>
internal static class Suspicion
{
    private static readonly TimeSpan Remembered = TimeSpan.FromDays(1);

    /// <summary>Whether the node of this incident has been named often enough. A hang names the one member behind all others, which chance does not do twice.</summary>
    public static bool Falls(Situation s, Incident incident)
    {
        if (incident.Node is null) return false;
        var since = s.Seen.StatefulSet?.CountersSince ?? DateTimeOffset.MinValue;
        var named = s.Seen.Plans.Select(p => p.Plan).Count(p => p.Revision == 0 && p.Cause.Node == incident.Node && p.Cause.Id != incident.CauseId && p.CreatedAt >= since && s.Now - p.CreatedAt < Remembered);
        return named >= (incident.Reason is Reasons.Hang ? 1 : Math.Max(1, s.Policy.RelaunchInPlace.Limit));
    }
}
