using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>A pod with everything that placing it depends on, parsed once.</summary>
internal sealed record SchedulingPod(JsonObject Object)
{
    public ObjectKey Key { get; } = Object.Key;
    public string Uid { get; } = Object.Uid;
    public IReadOnlyDictionary<string, string> Labels { get; } = Object.Labels;
    public IReadOnlyDictionary<string, decimal> Requests { get; } = PodRequests.Of(Object);
    public IReadOnlyList<Toleration> Tolerations { get; } = Toleration.Of(Object);
    public LabelSelector? NodeSelector { get; } = Object.At("spec", "nodeSelector") is JsonObject selector ? LabelSelector.FromMap(selector) : null;
    public NodeSelectorTerms? NodeAffinity { get; } = NodeSelectorTerms.Required(Object);
    public IReadOnlyList<(NodeSelectorTerms.Term Term, int Weight)> PreferredNodes { get; } = NodeSelectorTerms.Preferred(Object);
    public IReadOnlyList<PodAffinityTerm> Affinity { get; } = PodAffinityTerm.Required(Object, "podAffinity");
    public IReadOnlyList<PodAffinityTerm> AntiAffinity { get; } = PodAffinityTerm.Required(Object, "podAntiAffinity");
    public IReadOnlyList<PodAffinityTerm> PreferredAffinity { get; } = PodAffinityTerm.Preferred(Object, "podAffinity");
    public IReadOnlyList<PodAffinityTerm> PreferredAntiAffinity { get; } = PodAffinityTerm.Preferred(Object, "podAntiAffinity");
    public IReadOnlyList<SpreadConstraint> Spread { get; } = SpreadConstraint.Of(Object);
    public IReadOnlyList<(string Protocol, int Port)> HostPorts { get; } =
    [
        .. Object.Objects("spec", "containers").SelectMany(c => c.Objects("ports"))
            .Where(port => port.Number("hostPort") is > 0)
            .Select(port => (port.Text("protocol") ?? "TCP", (int)port.Number("hostPort")!.Value)),
    ];

    public bool Tolerates(Taint taint) => Tolerations.Any(t => t.Tolerates(taint));
}
