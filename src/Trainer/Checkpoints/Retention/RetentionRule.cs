using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>Which checkpoints may go. Pure.</summary>
public static class RetentionRule
{
    /// <summary>
    /// Everything but: the last k that are not condemned; the first at or after every n-th step; pinned ones; the last two healthy ones; and the
    /// newest of all. Condemned ones count for nothing but stay among the last k, as evidence. Those in memory count for nothing either: they stay
    /// while they are among the newest two of all, which is what the nodes keep.
    /// </summary>
    public static IReadOnlyList<KnownCheckpoint> Choose(LogState state, RetentionSpec keep)
    {
        var newestFirst = state.Durable.Reverse().ToArray();
        var inMemory = state.NewestFirst.Skip(NodeCopies.Kept).Where(c => c.Commit.InMemory);
        var kept = newestFirst.Take(Math.Max(1, keep.Last))
            .Concat(newestFirst.Where(c => c.Verdict != HealthVerdict.Condemned).Take(Math.Max(1, keep.Last)))
            .Concat(newestFirst.Where(c => c.Verdict == HealthVerdict.Healthy).Take(LogRules.HealthyKept))
            .Concat(newestFirst.Where(c => c.Pinned))
            .Concat(Milestones(state, keep.EverySteps))
            .Select(c => c.Entry).ToHashSet();
        return [.. newestFirst.Where(c => !kept.Contains(c.Entry)).Concat(inMemory).OrderBy(c => c.Entry)];
    }

    /// <summary>The first not condemned checkpoint in each stretch [i * every, (i + 1) * every), i at least 1: saves by the clock rarely hit a multiple exactly.</summary>
    private static IEnumerable<KnownCheckpoint> Milestones(LogState state, int every) => every <= 0
        ? []
        : state.Durable.Where(c => c.Verdict != HealthVerdict.Condemned && c.Commit.Step >= every)
            .GroupBy(c => c.Commit.Step / every).Select(stretch => stretch.MinBy(c => (c.Commit.Step, c.Entry))!);
}
