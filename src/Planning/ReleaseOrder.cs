namespace Opt.Planning;

/// <summary>
/// Who gives machines back when several jobs wait for more and none has enough: in a fixed order, by priority and then by age, the last job first. So two
/// jobs that hold half of the machines each never both release, and never take each other's halves again and again.
/// </summary>
internal static class ReleaseOrder
{
    /// <summary>How long released pods may take to go, and ours to be placed where they were.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromMinutes(2);

    /// <summary>How soon to look again for what other jobs do: nothing tells it to us.</summary>
    public static readonly TimeSpan Glance = TimeSpan.FromSeconds(10);

    /// <summary>The jobs that must release before this one does.</summary>
    public static IEnumerable<Rival> Behind(Situation s) => s.Seen.Rivals.Where(r => !IsAhead(s, r));

    /// <summary>The jobs that may go on waiting while this one has released.</summary>
    public static IEnumerable<Rival> Ahead(Situation s) => s.Seen.Rivals.Where(r => IsAhead(s, r));

    /// <summary>
    /// How long this job keeps what it has while it waits for the rest: its deadline, and while jobs behind it hold machines longer, but never more than
    /// twice its deadline, since their machines may not even suit it.
    /// </summary>
    /// <param name="since">Since when members are missing.</param>
    /// <param name="behindAt">When a job behind this one was last seen to hold machines.</param>
    public static TimeSpan Left(Situation s, DateTimeOffset since, DateTimeOffset? behindAt)
    {
        var deadline = since + s.Policy.ProvisionDeadline;
        var last = deadline + s.Policy.ProvisionDeadline;
        var end = behindAt is { } at && at + Settling > deadline ? at + Settling : deadline;
        return (end < last ? end : last) - s.Now;
    }

    private static bool IsAhead(Situation s, Rival rival)
    {
        var mine = (-(long)s.Priority, s.Job.Metadata.CreationTimestamp ?? DateTimeOffset.MinValue, s.Uid);
        return (-(long)rival.Priority, rival.Created, rival.Uid).CompareTo(mine) < 0;
    }
}
