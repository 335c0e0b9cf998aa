using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Shows where two trees differ, as one hunk of a unified diff of their indented text.</summary>
internal static class TextDiff
{
    private const int Context = 3;
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static string Of(JsonNode before, JsonNode after)
    {
        var (a, b) = (before.ToJsonString(Indented).Split('\n'), after.ToJsonString(Indented).Split('\n'));
        var head = 0;
        while (head < a.Length && head < b.Length && a[head] == b[head]) head++;
        var tail = 0;
        while (tail < a.Length - head && tail < b.Length - head && a[^(tail + 1)] == b[^(tail + 1)]) tail++;
        var from = Math.Max(0, head - Context);
        var after3 = Math.Min(Context, tail);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"@@ -{from + 1},{a.Length - tail - from + after3} +{from + 1},{b.Length - tail - from + after3} @@\n");
        Append(text, ' ', a[from..head]);
        Append(text, '-', a[head..(a.Length - tail)]);
        Append(text, '+', b[head..(b.Length - tail)]);
        Append(text, ' ', a[(a.Length - tail)..(a.Length - tail + after3)]);
        return text.ToString();
    }

    private static void Append(StringBuilder text, char mark, string[] lines)
    {
        foreach (var line in lines) text.Append(mark).Append(line).Append('\n');
    }
}
