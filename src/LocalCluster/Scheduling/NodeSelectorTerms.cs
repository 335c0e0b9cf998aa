using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Scheduling;

/// <summary>Node selector and node affinity: label expressions and the one field, <c>metadata.name</c>.</summary>
internal sealed record NodeSelectorTerms(IReadOnlyList<NodeSelectorTerms.Term> Terms)
{
    /// <summary>Any one term has to match; a term without expressions matches nothing.</summary>
    public bool Matches(string nodeName, IReadOnlyDictionary<string, string> labels) => Terms.Any(term => term.Matches(nodeName, labels));

    public static NodeSelectorTerms? Required(JsonObject pod) =>
        pod.At("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution") is JsonObject required
            ? new([.. required.Objects("nodeSelectorTerms").Select(Term.From)]) : null;

    public static IReadOnlyList<(Term Term, int Weight)> Preferred(JsonObject pod) =>
    [
        .. pod.Objects("spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
            .Where(p => p["preference"] is JsonObject)
            .Select(p => (Term.From((JsonObject)p["preference"]!), (int)(p.Number("weight") ?? 0))),
    ];

    internal sealed record Term(IReadOnlyList<LabelRequirement?> Labels, IReadOnlyList<LabelRequirement?> Fields)
    {
        public static Term From(JsonObject o) =>
            new([.. o.Objects("matchExpressions").Select(LabelRequirement.FromExpression)], [.. o.Objects("matchFields").Select(LabelRequirement.FromExpression)]);

        public bool Matches(string nodeName, IReadOnlyDictionary<string, string> labels)
        {
            if (Labels.Count == 0 && Fields.Count == 0) return false;

            // One with an operator that is unknown matches nothing.
            return Labels.All(requirement => requirement?.Matches(labels.GetValueOrDefault(requirement.Key)) == true)
                && Fields.All(requirement => requirement?.Matches(requirement.Key == "metadata.name" ? nodeName : null) == true);
        }
    }
}
