namespace Opt.Planning;

/// <summary>
/// The memory of nodes that were named before. Relaunches in place are counted in a short window, so a fault that comes back every
/// quarter of an hour on one node would never use them up: a node that is named again and again within a day is at fault itself.
/// The memory is the causes of the kept plans, so it survives the operator, and what other jobs wrote on the node.
/// </summary>
internal static class Suspicion
{
    /// <summary>Whether the node of this incident has been named often enough. A hang names the one member behind all others, which chance does not do twice; a full disk does not empty itself.</summary>
    public static bool Falls(Situation s, Incident incident)
    {
        if (incident.Node is null) return false;
        var needed = incident.Reason is Reasons.Hang or Reasons.DiskFull ? 1 : Math.Max(1, s.Policy.RelaunchInPlace.Limit);
        return Named(s, incident.Node, incident.CauseId).Sum(o => NodeMemory.Weight(s.Now - o.At)) >= needed;
    }

    /// <summary>How often the node was named, this cause not counted; by any job, fading with time.</summary>
    public static bool IsKnown(Situation s, string node, string causeId) => Named(s, node, causeId).Any();

    /// <summary>What is held against a node: one for each time that it was named within a day, less for older ones.</summary>
    public static double Doubt(Situation s, string node) => Named(s, node, "").Sum(o => NodeMemory.Weight(s.Now - o.At));

    private static IEnumerable<Offence> Named(Situation s, string node, string causeId)
    {
        var history = s.NodeNamed(node)?.History ?? NodeHistory.Empty;
        var intervened = s.Seen.StatefulSet?.CountersSince;
        return NodeMemory.Named(s, node).Concat(history.Offences).DistinctBy(o => (o.JobUid, o.CauseId))
            .Where(o => !(o.At < history.Since) && (o.JobUid != s.Uid || (o.CauseId != causeId && !(o.At < intervened))));
    }
}
