using Opt.Api.Protocol;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Who keeps whose copies. Every member keeps those of exactly one other, so that all need the same room. With members in the order of their zones, then racks,
/// the one half of them further on lies in another zone (rack) wherever no zone (rack) holds more than half of them; of a larger one as many as
/// there are members elsewhere find a partner there. Without zones and racks it is half the members away. Pure, and the same on every rank.
/// </summary>
internal static class Partners
{
    /// <summary>The index of each member's partner; its own where it is the only one.</summary>
    public static int[] Of(IReadOnlyList<PlanMember> members)
    {
        int[] order = [.. Enumerable.Range(0, members.Count).OrderBy(i => members[i].Zone, StringComparer.Ordinal).ThenBy(i => members[i].Rack, StringComparer.Ordinal)];
        var partners = new int[members.Count];
        for (var at = 0; at < order.Length; at++) partners[order[at]] = order[(at + members.Count / 2) % order.Length];
        return partners;
    }
}
