namespace Opt.LocalCluster.Scheduling;

/// <summary>The scheduler's answer for one pod: a node, or why there is none.</summary>
internal abstract record Placement
{
    public sealed record On(string Node) : Placement;

    public sealed record Nowhere(string Message) : Placement;

    /// <summary>
    /// Chooses a node among the best of those that fit, looking from <paramref name="start"/> on and no further than large clusters need; <paramref name="next"/> is where
    /// the next search starts, so that equal nodes fill in turn and a seed replays.
    /// </summary>
    public static Placement Decide(SchedulingPod pod, IReadOnlyList<SchedulingNode> nodes, TopologyIndex index, int start, out int next)
    {
        next = start;
        if (nodes.Count == 0) return new Nowhere("no nodes available to schedule pods");
        var topology = new InterPodTopology(pod, index);
        var spread = new TopologySpread(pod, nodes);
        var refusals = new List<IReadOnlyList<FilterReason>>();
        var wanted = FeasibleWanted(nodes.Count);
        SchedulingNode? best = null;
        var bestScore = double.NegativeInfinity;

        var looked = 0;
        for (; looked < nodes.Count && wanted > 0; looked++)
        {
            var node = nodes[(start + looked) % nodes.Count];
            var refused = Filters.Refusals(pod, node, topology, spread);
            if (refused.Count > 0)
            {
                refusals.Add(refused);
                continue;
            }

            wanted--;
            var score = Scores.Of(pod, node, spread);
            if (score > bestScore) (best, bestScore) = (node, score);
        }

        next = (start + looked) % nodes.Count;
        return best is not null ? new On(best.Name) : new Nowhere(Explain(nodes.Count, refusals));
    }

    // As with percentageOfNodesToScore at its lowest: all of up to 100 nodes, otherwise 5 % but at least 100.
    private static int FeasibleWanted(int nodes) => nodes <= 100 ? nodes : Math.Max(100, nodes / 20);

    private static string Explain(int nodes, List<IReadOnlyList<FilterReason>> refusals)
    {
        var reasons = Count(refusals.SelectMany(r => r).Select(reason => reason.Text));
        var preemption = Count(refusals.Select(r => r.All(reason => reason.IsResolvable)
            ? "No preemption victims found for incoming pod" : "Preemption is not helpful for scheduling"));
        return $"0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {preemption}.";
    }

    private static string Count(IEnumerable<string> texts) =>
        string.Join(", ", texts.GroupBy(text => text).Select(group => $"{group.Count()} {group.Key}").Order(StringComparer.Ordinal));
}
