using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>The part of kubectl's JSONPath that printer columns use: members, indexes, wildcards and equality filters.</summary>
public sealed class JsonPath
{
    private readonly List<Func<JsonNode, IEnumerable<JsonNode?>>> _steps = [];

    private JsonPath()
    {
    }

    /// <exception cref="FormatException">The text is not such a path.</exception>
    public static JsonPath Parse(string text)
    {
        var path = new JsonPath();
        var at = text.StartsWith('{') && text.EndsWith('}') ? 1 : 0;
        var end = text.Length - at;
        if (at < end && text[at] == '$') at++;
        while (at < end)
        {
            if (text[at] == '.')
            {
                var name = Name(text, ++at, end);
                if (name.Length == 0) throw new FormatException($"a name is missing in JSON path {text}");
                at += name.Length;
                var plain = name.Replace("\\.", ".", StringComparison.Ordinal);
                path._steps.Add(plain == "*" ? Children : n => Member(n, plain));
            }
            else if (text[at] == '[')
            {
                var close = Closing(text, at, end);
                path._steps.Add(Bracket(text[(at + 1)..close].Trim()));
                at = close + 1;
            }
            else
            {
                throw new FormatException($"'{text[at]}' is out of place in JSON path {text}");
            }
        }

        return path;
    }

    /// <summary>Everything the path leads to; missing members lead nowhere.</summary>
    public IEnumerable<JsonNode?> Find(JsonNode item)
    {
        IEnumerable<JsonNode?> found = [item];
        foreach (var step in _steps) found = found.OfType<JsonNode>().SelectMany(step).ToArray();
        return found;
    }

    private static string Name(string text, int at, int end)
    {
        var start = at;
        while (at < end && text[at] is not ('.' or '[')) at += text[at] == '\\' ? 2 : 1;
        return text[start..Math.Min(at, end)];
    }

    private static int Closing(string text, int open, int end)
    {
        var quote = '\0';
        for (var i = open + 1; i < end; i++)
        {
            if (quote != '\0') quote = text[i] == quote ? '\0' : quote;
            else if (text[i] is '\'' or '"') quote = text[i];
            else if (text[i] == ']') return i;
        }

        throw new FormatException($"a bracket is not closed in JSON path {text}");
    }

    private static Func<JsonNode, IEnumerable<JsonNode?>> Bracket(string inner)
    {
        if (inner == "*") return Children;
        if (inner.Length > 1 && inner[0] is '\'' or '"' && inner[^1] == inner[0]) return n => Member(n, inner[1..^1]);
        if (int.TryParse(inner, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var index)) return n => At(n, index);
        if (inner.StartsWith("?(", StringComparison.Ordinal) && inner.EndsWith(')')) return Filter(inner[2..^1]);
        throw new FormatException($"'[{inner}]' is not understood in a JSON path");
    }

    private static Func<JsonNode, IEnumerable<JsonNode?>> Filter(string condition)
    {
        var unequal = condition.Contains("!=", StringComparison.Ordinal);
        var sides = condition.Split(unequal ? "!=" : "==", StringSplitOptions.TrimEntries);
        if (sides.Length > 2 || !sides[0].StartsWith('@')) throw new FormatException($"filter '{condition}' is not understood in a JSON path");
        var path = Parse(sides[0][1..]);
        if (sides.Length == 1) return n => (n as JsonArray ?? []).Where(i => i is not null && path.Find(i).Any());
        var wanted = sides[1].Trim('"', '\'');
        return n => (n as JsonArray ?? []).Where(i => i is not null && path.Find(i).Any(v => v?.Plain() == wanted) != unequal);
    }

    private static IEnumerable<JsonNode?> Member(JsonNode node, string name) => node is JsonObject map && map.TryGetPropertyValue(name, out var value) ? [value] : [];

    private static IEnumerable<JsonNode?> At(JsonNode node, int index)
    {
        if (node is not JsonArray list) return [];
        if (index < 0) index += list.Count;
        return index >= 0 && index < list.Count ? [list[index]] : [];
    }

    private static IEnumerable<JsonNode?> Children(JsonNode node) => node switch
    {
        JsonArray list => list,
        JsonObject map => map.Select(m => m.Value),
        _ => [],
    };
}
