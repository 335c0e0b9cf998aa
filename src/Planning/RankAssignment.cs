using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>Which pod holds which rank block. Ordinal and rank are independent: survivors keep their block, others fill the free ones in ordinal order.</summary>
internal static class RankAssignment
{
    /// <summary>Pods in rank order; null when there are too few.</summary>
    /// <param name="previous">The members of the plan before, in rank order.</param>
    /// <param name="candidates">Pods that can be members, by ordinal.</param>
    /// <param name="doubt">How much was held against a pod's node: the least doubtful spare takes over.</param>
    public static EquatableList<PodState>? Assign(IReadOnlyList<PlanMember> previous, IReadOnlyList<PodState> candidates, int nodes, Func<PodState, double> doubt)
    {
        if (candidates.Count < nodes) return null;
        var blocks = new PodState?[nodes];
        var byUid = candidates.ToDictionary(c => c.Uid, StringComparer.Ordinal);
        for (var rank = 0; rank < Math.Min(nodes, previous.Count); rank++) blocks[rank] = byUid.GetValueOrDefault(previous[rank].PodUid);
        var placed = blocks.OfType<PodState>().Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
        // Old members whose block is gone (a smaller job) before spares that never trained.
        var old = previous.Select(p => p.PodUid).ToHashSet(StringComparer.Ordinal);
        var free = new Queue<PodState>(candidates.Where(c => !placed.Contains(c.Uid)).OrderBy(c => old.Contains(c.Uid) ? 0 : 1).ThenBy(doubt).ThenBy(c => c.Ordinal));
        return [.. blocks.Select(b => b ?? free.Dequeue())];
    }
}
