using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Selectors;

/// <summary>A conjunction of requirements on labels. The empty selector matches everything.</summary>
public sealed record LabelSelector(ImmutableArray<LabelRequirement> Requirements)
{
    public static readonly LabelSelector Everything = new(ImmutableArray<LabelRequirement>.Empty);

    /// <summary>Parses the query form: <c>a=b,c!=d,e in (f,g),!h</c>.</summary>
    /// <exception cref="SelectorException">The text does not parse; the message is Kubernetes'.</exception>
    public static LabelSelector Parse(string? text) => string.IsNullOrEmpty(text) ? Everything : new LabelSelectorParser(text).Parse();

    /// <summary>The object form (matchLabels and matchExpressions). Null selects nothing, an empty one everything.</summary>
    /// <exception cref="SelectorException">An operator is unknown.</exception>
    public static LabelSelector? FromObject(JsonNode? selector)
    {
        if (selector is not JsonObject map) return null;
        var labels = (map.Obj("matchLabels") ?? []).OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => new LabelRequirement(l.Key, LabelOperator.Equals, [l.Value.Str() ?? ""]));
        var expressions = map.Items("matchExpressions").Select(e => new LabelRequirement(e.Str("key") ?? "", e.Str("operator") switch
        {
            "In" => LabelOperator.In,
            "NotIn" => LabelOperator.NotIn,
            "Exists" => LabelOperator.Exists,
            "DoesNotExist" => LabelOperator.DoesNotExist,
            var other => throw new SelectorException($"\"{other}\" is not a valid label selector operator"),
        }, [.. e.Strings("values")]));
        return new LabelSelector([.. labels, .. expressions]);
    }

    /// <summary>A plain map of labels, all of which must match.</summary>
    public static LabelSelector FromMap(JsonObject? labels) =>
        new([.. (labels ?? []).Select(l => new LabelRequirement(l.Key, LabelOperator.Equals, [l.Value.Str() ?? ""]))]);

    public bool Matches(Func<string, string?> label)
    {
        foreach (var requirement in Requirements)
        {
            if (!requirement.Matches(label(requirement.Key))) return false;
        }

        return true;
    }

    public bool Matches(JsonObject? labels) => Matches(name => labels?[name].Str());

    /// <summary>The query form, as the scale subresource reports it.</summary>
    public override string ToString() => string.Join(",", Requirements.Select(r => r.ToString()));
}

/// <summary>The comparisons of a label requirement.</summary>
public enum LabelOperator { Equals, NotEquals, In, NotIn, Exists, DoesNotExist, GreaterThan, LessThan }

/// <summary>One requirement on one label.</summary>
public sealed record LabelRequirement(string Key, LabelOperator Operator, ImmutableArray<string> Values)
{
    public bool Matches(string? value) => Operator switch
    {
        LabelOperator.Exists => value is not null,
        LabelOperator.DoesNotExist => value is null,
        LabelOperator.Equals or LabelOperator.In => value is not null && Values.Contains(value),
        LabelOperator.NotEquals or LabelOperator.NotIn => value is null || !Values.Contains(value),
        _ => Compare(value) is { } order && (Operator == LabelOperator.GreaterThan ? order > 0 : order < 0),
    };

    public override string ToString() => Operator switch
    {
        LabelOperator.Exists => Key,
        LabelOperator.DoesNotExist => "!" + Key,
        LabelOperator.Equals => $"{Key}={Values[0]}",
        LabelOperator.NotEquals => $"{Key}!={Values[0]}",
        LabelOperator.GreaterThan => $"{Key}>{Values[0]}",
        LabelOperator.LessThan => $"{Key}<{Values[0]}",
        _ => $"{Key} {(Operator == LabelOperator.In ? "in" : "notin")} ({string.Join(",", Values.Order(StringComparer.Ordinal))})",
    };

    private int? Compare(string? value) =>
        long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var left) &&
        long.TryParse(Values[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var right) ? left.CompareTo(right) : null;
}

/// <summary>A selector does not parse.</summary>
public sealed class SelectorException(string message) : Exception(message);
