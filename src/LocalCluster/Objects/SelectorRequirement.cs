using System.Globalization;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>One expression of a label selector or a node selector term (which adds Gt and Lt).</summary>
internal sealed record SelectorRequirement(string Key, string Operator, IReadOnlyList<string> Values)
{
    public static SelectorRequirement From(JsonObject o) => new(o.Text("key") ?? "", o.Text("operator") ?? "", [.. o.Strings("values")]);

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        var present = labels.TryGetValue(Key, out var value);
        return Operator switch
        {
            "In" => present && Values.Contains(value),
            "NotIn" => !present || !Values.Contains(value),
            "Exists" => present,
            "DoesNotExist" => !present,
            "Gt" => present && Compare(value) > 0,
            "Lt" => present && Compare(value) < 0,
            _ => false,
        };
    }

    // Null compares as false both ways, as a label that is no number never matches Gt or Lt.
    private int? Compare(string? value) =>
        long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var left)
        && Values is [var bound, ..] && long.TryParse(bound, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var right)
            ? left.CompareTo(right) : null;
}
