using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>One of <c>spec.topologySpreadConstraints</c>.</summary>
internal sealed record SpreadConstraint(string TopologyKey, int MaxSkew, bool IsHard, LabelSelector? Selector)
{
    public static IReadOnlyList<SpreadConstraint> Of(JsonObject pod) =>
    [
        .. pod.Objects("spec", "topologySpreadConstraints").Select(c => new SpreadConstraint(
            c.Text("topologyKey") ?? "", (int)(c.Number("maxSkew") ?? 1), c.Text("whenUnsatisfiable") != "ScheduleAnyway", LabelSelector.FromAccepted(c["labelSelector"]))),
    ];
}
