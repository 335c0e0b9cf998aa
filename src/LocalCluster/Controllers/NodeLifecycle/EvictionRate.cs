namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>How disrupted a zone is.</summary>
public enum ZoneState { Normal, PartialDisruption, FullDisruption }

/// <summary>
/// How fast nodes may be emptied: one in ten seconds; in a zone that lost 55 % or more, slower, or not at all when it is small; and not at all when
/// every zone is lost, since then it is the control plane that is cut off.
/// </summary>
internal sealed record EvictionRate(double Normal = 0.1, double Secondary = 0.01, int LargeZone = 50, double UnhealthyShare = 0.55)
{
    public ZoneState StateOf(int ready, int unready) => (ready, unready) switch
    {
        (0, > 0) => ZoneState.FullDisruption,
        (_, > 2) when unready >= UnhealthyShare * (ready + unready) => ZoneState.PartialDisruption,
        _ => ZoneState.Normal,
    };

    /// <summary>Nodes per second that may be tainted in a zone; zero for none.</summary>
    public double Of(ZoneState zone, int zoneSize, bool everyZoneLost) => zone switch
    {
        _ when everyZoneLost => 0,
        ZoneState.PartialDisruption => zoneSize > LargeZone ? Secondary : 0,
        _ => Normal,
    };
}
