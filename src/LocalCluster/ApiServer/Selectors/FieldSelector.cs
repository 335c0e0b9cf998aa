using System.Collections.Immutable;
using System.Text;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Selectors;

/// <summary>A conjunction of comparisons on selectable fields: <c>metadata.name=a,status.phase!=Running</c>.</summary>
public sealed record FieldSelector(ImmutableArray<FieldRequirement> Requirements)
{
    public static readonly FieldSelector Everything = new(ImmutableArray<FieldRequirement>.Empty);

    /// <exception cref="SelectorException">The text does not parse.</exception>
    public static FieldSelector Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return Everything;
        return new FieldSelector([.. Terms(text).Where(t => t.Length > 0).Select(t => Requirement(text, t))]);
    }

    public bool Matches(Func<string, string?> field)
    {
        foreach (var requirement in Requirements)
        {
            if (((field(requirement.Field) ?? "") == requirement.Value) != requirement.Equal) return false;
        }

        return true;
    }

    /// <summary>The value that a field must equal, when the selector says so.</summary>
    public string? ExactValue(string field) => Requirements.FirstOrDefault(r => r.Equal && r.Field == field)?.Value;

    private static IEnumerable<string> Terms(string text)
    {
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == ',')
            {
                yield return text[start..i];
                start = i + 1;
            }
        }

        yield return text[start..];
    }

    private static FieldRequirement Requirement(string whole, string term)
    {
        for (var i = 0; i < term.Length; i++)
        {
            if (term[i] == '\\') i++;
            else if (string.CompareOrdinal(term, i, "!=", 0, 2) == 0) return new(term[..i], false, Unescape(whole, term[(i + 2)..]));
            else if (string.CompareOrdinal(term, i, "==", 0, 2) == 0) return new(term[..i], true, Unescape(whole, term[(i + 2)..]));
            else if (term[i] == '=') return new(term[..i], true, Unescape(whole, term[(i + 1)..]));
        }

        throw new SelectorException($"invalid selector: '{whole}'; can't understand '{term}'");
    }

    private static string Unescape(string whole, string value)
    {
        var result = new StringBuilder(value.Length);
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] is ',' or '=') throw new SelectorException($"invalid field selector: unescaped '{value[i]}' in '{whole}'");
            if (value[i] == '\\')
            {
                if (++i == value.Length || value[i] is not ('\\' or ',' or '=')) throw new SelectorException($"invalid field selector: invalid escape sequence in value: {value}");
            }

            result.Append(value[i]);
        }

        return result.ToString();
    }
}

/// <summary>One comparison of one field.</summary>
public sealed record FieldRequirement(string Field, bool Equal, string Value);

/// <summary>What a list or watch asks for.</summary>
public sealed record Selection(LabelSelector Labels, FieldSelector Fields)
{
    public static readonly Selection All = new(LabelSelector.Everything, FieldSelector.Everything);

    public bool IsAll => Labels.Requirements.IsEmpty && Fields.Requirements.IsEmpty;

    public bool Matches(StoredObject item) => Labels.Matches(item.Label) && Fields.Matches(item.Field);
}
