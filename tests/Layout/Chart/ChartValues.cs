using System.Text.Json.Nodes;
using Opt.Api;

namespace Opt.Layout.Chart;

/// <summary>One documented value of the chart: its dotted path, the text of its <c># --</c> comment, and its default.</summary>
public sealed record ChartValue(string Path, string Comment, JsonNode? Default);

/// <summary>Reads <c>values.yaml</c>: what is documented there, and every key there is.</summary>
public static class ChartValues
{
    private const string File = "charts/opt-operator/values.yaml";
    private static readonly JsonObject Defaults = (JsonObject)Yaml.Parse(RepoFiles.Read(File))[0];

    /// <summary>Every value with a comment, in the file's order.</summary>
    public static IReadOnlyList<ChartValue> Documented()
    {
        var found = new List<ChartValue>();
        var path = new List<(int Indent, string Key)>();
        var comment = new List<string>();
        foreach (var line in RepoFiles.Read(File).Split('\n'))
        {
            var text = line.TrimStart();
            if (text.StartsWith("# -- ", StringComparison.Ordinal)) comment = [text[5..]];
            else if (text.StartsWith("# ", StringComparison.Ordinal) && comment.Count > 0) comment.Add(text[2..]);
            else if (text.Length > 0 && !text.StartsWith('#') && text.Contains(':', StringComparison.Ordinal))
            {
                var indent = line.Length - text.Length;
                path.RemoveAll(p => p.Indent >= indent);
                path.Add((indent, text.Split(':')[0]));
                if (comment.Count > 0) found.Add(Describe([.. path.Select(p => p.Key)], string.Join(' ', comment)));
                comment = [];
            }
        }

        return found;
    }

    /// <summary>Keys that are neither documented, nor above nor below a documented one.</summary>
    public static IEnumerable<string> Undocumented()
    {
        var documented = Documented().Select(v => v.Path).ToList();
        return Leaves(Defaults, "").Where(leaf => !documented.Any(d => leaf == d || leaf.StartsWith(d + ".", StringComparison.Ordinal)));
    }

    private static ChartValue Describe(string[] keys, string comment) =>
        new(string.Join('.', keys), comment, keys.Aggregate((JsonNode?)Defaults, (node, key) => node?[key]));

    private static IEnumerable<string> Leaves(JsonObject parent, string prefix) => parent.SelectMany(entry =>
        entry.Value is JsonObject { Count: > 0 } inner ? Leaves(inner, $"{prefix}{entry.Key}.") : [$"{prefix}{entry.Key}"]);
}
