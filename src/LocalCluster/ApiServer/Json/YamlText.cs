using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Opt.LocalCluster.ApiServer.Json;

/// <summary>Writes a tree as block YAML. Strings that could be read as anything else are quoted.</summary>
public static partial class YamlText
{
    public static string Write(JsonNode? node)
    {
        var text = new StringBuilder();
        Write(text, node, 0, inline: false);
        return text.ToString();
    }

    private static void Write(StringBuilder text, JsonNode? node, int indent, bool inline)
    {
        switch (node)
        {
            case JsonObject { Count: > 0 } map:
                Map(text, map, indent, inline);
                break;
            case JsonArray { Count: > 0 } list:
                foreach (var item in list)
                {
                    text.Append(' ', indent).Append("- ");
                    Write(text, item, indent + 2, inline: true);
                }

                break;
            default:
                text.Append(Leaf(node)).Append('\n');
                break;
        }
    }

    private static void Map(StringBuilder text, JsonObject map, int indent, bool inline)
    {
        var first = inline;
        foreach (var (name, value) in map)
        {
            if (!first) text.Append(' ', indent);
            first = false;
            text.Append(Text(name)).Append(':');
            if (value is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
            {
                text.Append('\n');
                Write(text, value, value is JsonArray ? indent : indent + 2, inline: false);
            }
            else
            {
                text.Append(' ').Append(Leaf(value)).Append('\n');
            }
        }
    }

    private static string Leaf(JsonNode? node) => node switch
    {
        null => "null",
        JsonObject => "{}",
        JsonArray => "[]",
        _ when node.GetValueKind() == JsonValueKind.String => Text(node.Str()!),
        _ => node.ToJsonString(),
    };

    private static string Text(string text)
    {
        var plain = PlainText().IsMatch(text) && !text.Contains(": ", StringComparison.Ordinal) && !text.Contains(" #", StringComparison.Ordinal) && !text.EndsWith(':') && !text.EndsWith(' ')
            && YamlTree.Parse(text) is JsonValue value && value.GetValueKind() == JsonValueKind.String
            && !double.TryParse(text, NumberStyles.Any, CultureInfo.InvariantCulture, out _);
        return plain ? text : JsonValue.Create(text).ToJsonString(JsonText.Compact);
    }

    [GeneratedRegex(@"^[A-Za-z0-9_./][^\x00-\x1f\x7f""'\\{}\[\],&*!|>%@`]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainText();
}
