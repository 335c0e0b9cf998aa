using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>A parsed <c>metav1.LabelSelector</c>. Empty matches everything; null (no selector) matches nothing.</summary>
internal sealed record LabelSelector(IReadOnlyList<SelectorRequirement> Requirements)
{
    public static LabelSelector? From(JsonNode? node) => node is not JsonObject o ? null : new(
    [
        .. o.Map("matchLabels").Select(label => new SelectorRequirement(label.Key, "In", [label.Value])),
        .. o.Objects("matchExpressions").Select(SelectorRequirement.From),
    ]);

    /// <summary>A plain label map, as Services and node selectors use.</summary>
    public static LabelSelector FromMap(IReadOnlyDictionary<string, string> labels) =>
        new([.. labels.Select(label => new SelectorRequirement(label.Key, "In", [label.Value]))]);

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        foreach (var requirement in Requirements)
        {
            if (!requirement.Matches(labels)) return false;
        }

        return true;
    }
}
