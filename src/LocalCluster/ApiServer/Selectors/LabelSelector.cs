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
        var expressions = map.Items("matchExpressions").Select(e => LabelRequirement.FromExpression(e) is { Operator: not (LabelOperator.GreaterThan or LabelOperator.LessThan) } requirement
            ? requirement : throw new SelectorException($"\"{e.Str("operator")}\" is not a valid label selector operator"));
        return new LabelSelector([.. labels, .. expressions]);
    }

    /// <summary>The object form, for those that the server has accepted: null also for one that is malformed.</summary>
    public static LabelSelector? FromAccepted(JsonNode? selector)
    {
        try
        {
            return FromObject(selector);
        }
        catch (SelectorException)
        {
            return null;   // not every selector inside a pod is checked when it is written
        }
    }

    /// <summary>A plain map of labels, all of which must match.</summary>
    public static LabelSelector FromMap(JsonObject? labels) =>
        new([.. (labels ?? []).Select(l => new LabelRequirement(l.Key, LabelOperator.Equals, [l.Value.Str() ?? ""]))]);

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        foreach (var requirement in Requirements)
        {
            if (!requirement.Matches(labels.GetValueOrDefault(requirement.Key))) return false;
        }

        return true;
    }

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
    /// <summary>One entry of <c>matchExpressions</c>; null when its operator is unknown. Gt and Lt are for nodes only.</summary>
    public static LabelRequirement? FromExpression(JsonObject expression)
    {
        LabelOperator? operation = expression.Str("operator") switch
        {
            "In" => LabelOperator.In,
            "NotIn" => LabelOperator.NotIn,
            "Exists" => LabelOperator.Exists,
            "DoesNotExist" => LabelOperator.DoesNotExist,
            "Gt" => LabelOperator.GreaterThan,
            "Lt" => LabelOperator.LessThan,
            _ => null,
        };
        return operation is { } known ? new(expression.Str("key") ?? "", known, [.. expression.Strings("values")]) : null;
    }

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
        Values is [var bound, ..] && long.TryParse(bound, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var right) ? left.CompareTo(right) : null;
}

/// <summary>A selector does not parse.</summary>
public sealed class SelectorException(string message) : Exception(message);
