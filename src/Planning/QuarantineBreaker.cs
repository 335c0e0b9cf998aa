namespace Opt.Planning;

/// <summary>
/// Bounds how many nodes of the whole cluster all jobs together may put aside. A share alone is too loose on large clusters and too tight on
/// small ones, so both bounds hold, and the first few are always allowed.
/// </summary>
/// <param name="Nodes">Most nodes at a time; null for no such bound.</param>
/// <param name="Percent">Most percent of the cluster's nodes at a time.</param>
public sealed record QuarantineBreaker(int? Nodes = null, double Percent = 20)
{
    /// <summary>On a small cluster the share is less than one machine; so many are allowed all the same.</summary>
    public const int Always = 3;

    /// <summary>How many more may be put aside now.</summary>
    /// <param name="total">Nodes of the cluster, quarantined ones included.</param>
    public int Room(int total, int quarantined)
    {
        var share = Math.Max(Always, (int)Math.Floor(Percent / 100 * total));
        return Math.Max(0, Math.Min(Nodes ?? int.MaxValue, share) - quarantined);
    }
}
