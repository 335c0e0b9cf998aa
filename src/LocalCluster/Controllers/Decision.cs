namespace Opt.LocalCluster.Controllers;

/// <summary>A controller's decision about one key: what to do now, and when to look again if nothing changes before.</summary>
internal sealed record Decision(IReadOnlyList<Act> Acts, TimeSpan? LookAgain = null)
{
    public static readonly Decision Nothing = new([]);
}
