using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Opt.Api;

/// <summary>JSON nodes as block YAML, keys in their order, two spaces a level. Strings that could be read as something else are quoted.</summary>
public static partial class YamlWriter
{
    private static readonly string[] Reserved = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"];

    public static string Write(JsonNode node)
    {
        var text = new StringBuilder();
        Block(text, node, indent: 0);
        return text.ToString();
    }

    private static void Block(StringBuilder text, JsonNode node, int indent)
    {
        if (node is JsonObject map)
        {
            foreach (var (key, value) in map)
            {
                text.Append(' ', indent).Append(Scalar(key)).Append(':');
                After(text, value, indent + 2, listIndent: indent);
            }
        }
        else
        {
            foreach (var item in node.AsArray()) Item(text, item, indent);
        }
    }

    private static void Item(StringBuilder text, JsonNode? item, int indent)
    {
        if (item is JsonObject { Count: > 0 } map)
        {
            var block = new StringBuilder();
            Block(block, map, indent + 2);
            text.Append(' ', indent).Append("- ").Append(block.ToString().AsSpan(indent + 2));
            return;
        }

        text.Append(' ', indent).Append('-');
        After(text, item, indent + 2, indent + 2);
    }

    private static void After(StringBuilder text, JsonNode? value, int indent, int listIndent)
    {
        if (value is JsonObject { Count: > 0 } or JsonArray { Count: > 0 })
        {
            text.Append('\n');
            Block(text, value, value is JsonArray ? listIndent : indent);
            return;
        }

        text.Append(' ').Append(value switch { JsonObject => "{}", JsonArray => "[]", null => "null", JsonValue v when v.TryGetValue<string>(out var s) => Scalar(s), _ => value.ToJsonString() }).Append('\n');
    }

    private static string Scalar(string text) => Plain().IsMatch(text) && !Reserved.Contains(text, StringComparer.OrdinalIgnoreCase)
        && !double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _) && !text.Contains(": ", StringComparison.Ordinal) && !text.Contains(" #", StringComparison.Ordinal)
        ? text
        : $"\"{JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    // Starts with a letter, slash, dollar or a dot before a letter (what starts with a digit may be read as a number or a date); does not end in a colon or blank.
    [GeneratedRegex(@"^([A-Za-z/$]|\.[A-Za-z])([^\n\r\t""\\]*[^:\s""\\])?$")]
    private static partial Regex Plain();
}
