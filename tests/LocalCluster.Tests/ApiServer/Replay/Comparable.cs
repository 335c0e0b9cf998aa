using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>Brings recorded and live answers into one form, in which what differs from run to run is a placeholder.</summary>
internal static partial class Comparable
{
    public static JsonNode? Of(JsonNode? node) => Normalize(node?.DeepClone(), "");

    /// <summary>Where two comparable trees differ first; null when they do not.</summary>
    public static string? Difference(JsonNode? expected, JsonNode? actual, string path = "$")
    {
        switch (expected, actual)
        {
            case (JsonObject a, JsonObject b):
                foreach (var name in a.Select(m => m.Key).Union(b.Select(m => m.Key)))
                {
                    if (!a.ContainsKey(name)) return $"{path}.{name} is not expected: {Short(b[name])}";
                    if (!b.ContainsKey(name)) return $"{path}.{name} is missing: {Short(a[name])}";
                    if (Difference(a[name], b[name], $"{path}.{name}") is { } below) return below;
                }

                return null;
            case (JsonArray a, JsonArray b):
                for (var i = 0; i < Math.Min(a.Count, b.Count); i++)
                {
                    if (Difference(a[i], b[i], $"{path}[{i}]") is { } below) return below;
                }

                return a.Count == b.Count ? null : $"{path} has {b.Count} items instead of {a.Count}: {Short(a.Count > b.Count ? a[b.Count] : b[a.Count])}";
            default:
                return JsonNode.DeepEquals(expected, actual) ? null : $"{path} is {Short(actual)} instead of {Short(expected)}";
        }
    }

    public static string Text(string text)
    {
        text = Uid().Replace(text, "<uid>");
        text = Time().Replace(text, "<time>");
        text = Volume().Replace(text, "kube-api-access-<suffix>");
        text = Revision().Replace(text, "$1-<hash>");
        text = Event().Replace(text, "$1.<id>");
        text = Certificate().Replace(text, "<pem>");
        return Credential().Replace(text, "X509SHA256=<hash>");
    }

    private static JsonNode? Normalize(JsonNode? node, string name)
    {
        switch (node)
        {
            case JsonObject map:
                var result = new JsonObject();
                foreach (var (key, value) in map) result[Text(key)] = Normalize(value?.DeepClone(), key);
                if (result["columnDefinitions"] is JsonArray columns && result["rows"] is JsonArray rows) HideAges(columns, rows);
                return result;
            case JsonArray list:
                var items = list.Select(i => Normalize(i?.DeepClone(), "")).ToArray();
                // Entries are ordered by time, and the seconds of two runs fall differently.
                if (name == "managedFields") items = [.. items.OrderBy(i => i!.ToJsonString(), StringComparer.Ordinal)];
                return new JsonArray(items);
            case JsonValue value when value.TryGetValue(out string? text):
                return JsonValue.Create(name switch
                {
                    "resourceVersion" when text.Length > 0 => "<rv>",
                    "continue" when text.Length > 0 => "<continue>",
                    "controller.kubernetes.io/hash" => "<hash>",
                    "reportingInstance" when text.StartsWith("default-scheduler-", StringComparison.Ordinal) => "default-scheduler-<host>",
                    _ => Text(text),
                });
            default:
                return node;
        }
    }

    private static void HideAges(JsonArray columns, JsonArray rows)
    {
        for (var i = 0; i < columns.Count; i++)
        {
            if ((string)columns[i]!["name"]! is not ("Age" or "Last Seen" or "First Seen")) continue;
            foreach (var row in rows) row!["cells"]!.AsArray()[i] = "<age>";
        }
    }

    private static string Short(JsonNode? node)
    {
        var text = node?.ToJsonString() ?? "null";
        return text.Length > 900 ? text[..900] + "..." : text;
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Uid();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")]
    private static partial Regex Time();

    [GeneratedRegex("kube-api-access-[a-z0-9]{5}")]
    private static partial Regex Volume();

    [GeneratedRegex("\\b(web|ord|nf)-(?=[a-z0-9]*[0-9])[a-z0-9]{8,10}\\b")]
    private static partial Regex Revision();

    [GeneratedRegex("\\b(g[0-9])\\.[0-9a-f]{14,16}\\b")]
    private static partial Regex Event();

    [GeneratedRegex("-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s]+-----END CERTIFICATE-----\n?")]
    private static partial Regex Certificate();

    [GeneratedRegex("X509SHA256=[0-9a-f]{64}")]
    private static partial Regex Credential();
}
