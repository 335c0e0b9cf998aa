using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Opt.LocalCluster.ApiServer.Json;

/// <summary>YAML as the API reads it: one document, converted to JSON with YAML 1.2 core scalars (and 1.1 booleans left as strings only when quoted).</summary>
public static partial class YamlTree
{
    private const int MaxDepth = 100;
    private const int MaxNodes = 200_000;   // aliases may not blow a small text up into a huge tree

    /// <exception cref="FormatException">The text is not YAML, uses aliases beyond measure, or holds more than one document.</exception>
    public static JsonNode? Parse(string text, ICollection<string>? duplicates = null)
    {
        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _)) return null;
            parser.Consume<DocumentStart>();
            var node = new Reader(parser, duplicates).Node("", 0);
            parser.Consume<DocumentEnd>();
            if (!parser.Accept<StreamEnd>(out _)) throw new FormatException("expected a single document");
            return node;
        }
        catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException)   // the latter two on some broken scalars and tags
        {
            throw new FormatException(e.Message, e);
        }
    }

    private sealed class Reader(IParser parser, ICollection<string>? duplicates)
    {
        private readonly Dictionary<AnchorName, JsonNode?> _anchors = [];
        private int _nodes;

        public JsonNode? Node(string path, int depth)
        {
            if (depth > MaxDepth || ++_nodes > MaxNodes) throw new FormatException("document is nested too deeply or too large");
            if (parser.TryConsume<AnchorAlias>(out var alias))
            {
                var target = _anchors.TryGetValue(alias.Value, out var known) ? known?.DeepClone() : throw new FormatException($"unknown anchor {alias.Value}");
                _nodes += Count(target);
                return target;
            }

            var (node, anchor) = parser.Current switch
            {
                MappingStart map => (Map(path, depth), map.Anchor),
                SequenceStart list => (List(path, depth), list.Anchor),
                _ => Leaf(),
            };
            if (!anchor.IsEmpty) _anchors[anchor] = node;
            return node;
        }

        private JsonObject Map(string path, int depth)
        {
            parser.Consume<MappingStart>();
            var result = new JsonObject();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                if (!parser.TryConsume<YamlDotNet.Core.Events.Scalar>(out var key)) throw new FormatException("only scalars may be keys");
                var below = path.Length == 0 ? key.Value : $"{path}.{key.Value}";
                if (result.ContainsKey(key.Value)) duplicates?.Add(below);
                result[key.Value] = Node(below, depth + 1);
            }

            return result;
        }

        private JsonArray List(string path, int depth)
        {
            parser.Consume<SequenceStart>();
            var result = new JsonArray();
            while (!parser.TryConsume<SequenceEnd>(out _)) result.Add(Node($"{path}[{result.Count}]", depth + 1));
            return result;
        }

        private (JsonNode? Node, AnchorName Anchor) Leaf()
        {
            var scalar = parser.Consume<YamlDotNet.Core.Events.Scalar>();
            return (scalar.Style == ScalarStyle.Plain && scalar.Tag.IsEmpty ? Plain(scalar.Value) : JsonValue.Create(scalar.Value), scalar.Anchor);
        }

        private static int Count(JsonNode? node) => node switch
        {
            JsonObject map => 1 + map.Sum(m => Count(m.Value)),
            JsonArray list => 1 + list.Sum(Count),
            _ => 1,
        };
    }

    private static JsonValue? Plain(string text)
    {
        if (text is "" or "~" or "null" or "Null" or "NULL") return null;
        if (text is "true" or "True" or "TRUE" or "yes" or "Yes" or "on" or "On") return JsonValue.Create(true);
        if (text is "false" or "False" or "FALSE" or "no" or "No" or "off" or "Off") return JsonValue.Create(false);
        if (Integer().IsMatch(text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)) return JsonValue.Create(whole);
        if (Octal().IsMatch(text)) return JsonValue.Create(Convert.ToInt64(text[1..].TrimStart('o'), 8));
        if (Float().IsMatch(text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)) return JsonValue.Create(number);
        return JsonValue.Create(text);
    }

    [GeneratedRegex(@"^[-+]?(0|[1-9][0-9]{0,18})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^0o?[0-7]{1,18}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Octal();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Float();
}
