using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>Applies <see cref="EvictionRate"/>: one token bucket of size one for each zone.</summary>
internal sealed class ZoneLimiter(EvictionRate rate)
{
    private readonly Dictionary<string, (double PerSecond, DateTimeOffset NextAt)> _zones = new(StringComparer.Ordinal);

    /// <summary>No node anywhere is ready.</summary>
    public bool EveryZoneIsLost { get; private set; }

    public void Update(IReadOnlyList<JsonObject> nodes, DateTimeOffset now)
    {
        var zones = nodes.GroupBy(ZoneOf).Select(zone => (zone.Key, Size: zone.Count(), Ready: zone.Count(node => Condition.IsTrue(node, "Ready")))).ToList();
        EveryZoneIsLost = zones.Count > 0 && zones.TrueForAll(zone => rate.StateOf(zone.Ready, zone.Size - zone.Ready) == ZoneState.FullDisruption);
        foreach (var zone in zones)
        {
            var perSecond = rate.Of(rate.StateOf(zone.Ready, zone.Size - zone.Ready), zone.Size, EveryZoneIsLost);
            _zones[zone.Key] = (perSecond, _zones.TryGetValue(zone.Key, out var known) ? known.NextAt : now);
        }
    }

    public bool TryTake(JsonObject node, DateTimeOffset now)
    {
        var (perSecond, nextAt) = _zones[ZoneOf(node)];
        if (perSecond <= 0 || now < nextAt) return false;
        _zones[ZoneOf(node)] = (perSecond, now + TimeSpan.FromSeconds(1 / perSecond));
        return true;
    }

    private static string ZoneOf(JsonObject node) =>
        $"{node.Text("metadata", "labels", "topology.kubernetes.io/region")}:{node.Text("metadata", "labels", "topology.kubernetes.io/zone")}";
}
