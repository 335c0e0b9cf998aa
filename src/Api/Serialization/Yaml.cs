using System.Globalization;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Opt.Api;

/// <summary>YAML 1.1 documents as JSON nodes, with Kubernetes' reading of plain scalars (true/false, numbers, null).</summary>
public static class Yaml
{
    /// <summary>Parses all documents of <paramref name="text"/>; empty documents are left out.</summary>
    /// <exception cref="FormatException">Not YAML; the message gives line and column.</exception>
    public static IReadOnlyList<JsonNode> Parse(string text)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new FormatException($"not YAML at line {e.Start.Line}, column {e.Start.Column}: {e.Message}", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)   // the parser's answer to some broken scalars and tags
        {
            throw new FormatException($"not YAML: {e.Message}", e);
        }

        return [.. stream.Documents.Select(d => Convert(d.RootNode, depth: 0)).OfType<JsonNode>()];
    }

    private static JsonNode? Convert(YamlNode node, int depth)
    {
        if (depth > 100) throw new FormatException("YAML nested deeper than 100 levels");
        switch (node)
        {
            case YamlMappingNode map:
                var result = new JsonObject();
                foreach (var (key, value) in map.Children) result[Key(key)] = Convert(value, depth + 1);
                return result;
            case YamlSequenceNode list:
                return new JsonArray([.. list.Children.Select(c => Convert(c, depth + 1))]);
            default:
                return Scalar((YamlScalarNode)node);
        }
    }

    private static string Key(YamlNode key) =>
        key is YamlScalarNode scalar ? scalar.Value ?? "" : throw new FormatException($"not YAML as JSON knows it at line {key.Start.Line}: a key must be a scalar");

    private static JsonValue? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is not ScalarStyle.Plain) return JsonValue.Create(text);
        if (text is "" or "~" or "null" or "Null" or "NULL") return null;
        if (text is "true" or "True" or "TRUE") return JsonValue.Create(true);
        if (text is "false" or "False" or "FALSE") return JsonValue.Create(false);
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)) return JsonValue.Create(whole);
        var numeric = text[0] is '-' or '+' or '.' or (>= '0' and <= '9');
        return numeric && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? JsonValue.Create(number)
            : JsonValue.Create(text);
    }
}
