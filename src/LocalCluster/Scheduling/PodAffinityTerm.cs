using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>One term of pod affinity or anti-affinity: which pods it is about, and the node label that says what "the same place" is. Terms of equal identity mean the same.</summary>
internal sealed record PodAffinityTerm(LabelSelector? Selector, string TopologyKey, IReadOnlyList<string> Namespaces, bool AllNamespaces, int Weight, string Identity)
{
    public bool Matches(string @namespace, IReadOnlyDictionary<string, string> labels) =>
        (AllNamespaces || Namespaces.Contains(@namespace)) && Selector?.Matches(labels) == true;

    public static IReadOnlyList<PodAffinityTerm> Required(JsonObject pod, string kind) =>
        [.. pod.Objects("spec", "affinity", kind, "requiredDuringSchedulingIgnoredDuringExecution").Select(term => From(pod, term, 0))];

    public static IReadOnlyList<PodAffinityTerm> Preferred(JsonObject pod, string kind) =>
    [
        .. pod.Objects("spec", "affinity", kind, "preferredDuringSchedulingIgnoredDuringExecution")
            .Where(term => term["podAffinityTerm"] is JsonObject)
            .Select(term => From(pod, (JsonObject)term["podAffinityTerm"]!, (int)(term.Number("weight") ?? 0))),
    ];

    private static PodAffinityTerm From(JsonObject pod, JsonObject term, int weight)
    {
        string[] named = [.. term.Strings("namespaces")];
        var everywhere = term["namespaceSelector"] is JsonObject { Count: 0 };
        return new(LabelSelector.FromAccepted(term["labelSelector"]), term.Text("topologyKey") ?? "", named.Length > 0 ? named : [pod.Namespace], everywhere, weight, $"{string.Join(',', named)}|{pod.Namespace}|{term.ToJsonString()}");
    }
}
