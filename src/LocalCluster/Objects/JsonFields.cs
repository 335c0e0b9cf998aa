using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.Objects;

/// <summary>Reads fields of Kubernetes objects without a model of them. A missing or null step on the way reads as null or empty.</summary>
internal static class JsonFields
{
    private const string SecondsFormat = "yyyy-MM-dd'T'HH:mm:ss'Z'";
    private const string MicroFormat = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path) => JsonAccess.At(node, path);

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) => At(node, path) switch
    {
        JsonValue v when v.TryGetValue<string>(out var text) => text,
        JsonValue v => v.ToJsonString(),
        _ => null,
    };

    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path) => JsonAccess.Long(node, path);

    public static bool Flag(this JsonNode? node, params ReadOnlySpan<string> path) => JsonAccess.Bool(At(node, path)) == true;

    public static DateTimeOffset? Time(this JsonNode? node, params ReadOnlySpan<string> path) =>
        DateTimeOffset.TryParse(Text(node, path), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time : null;

    /// <summary>The objects of a list field; empty when the field is missing.</summary>
    public static IEnumerable<JsonObject> Objects(this JsonNode? node, params ReadOnlySpan<string> path) => JsonAccess.Items(node, path);

    public static IReadOnlyList<string> Strings(this JsonNode? node, params ReadOnlySpan<string> path) => JsonAccess.Strings(node, path);

    /// <summary>A string map field such as labels; empty when the field is missing.</summary>
    public static IReadOnlyDictionary<string, string> Map(this JsonNode? node, params ReadOnlySpan<string> path) =>
        At(node, path) is JsonObject map
            ? map.ToDictionary(entry => entry.Key, entry => entry.Value.Text() ?? "", StringComparer.Ordinal)
            : new Dictionary<string, string>();

    /// <summary>The object at a path, created with every step that is missing.</summary>
    public static JsonObject Ensure(this JsonObject root, params ReadOnlySpan<string> path)
    {
        foreach (var step in path) root = JsonAccess.Ensure(root, step);
        return root;
    }

    public static T Copy<T>(this T node) where T : JsonNode => JsonAccess.Copy(node);

    /// <summary><c>metav1.Time</c>: whole seconds, UTC.</summary>
    public static string ToKubernetesTime(this DateTimeOffset time) => time.UtcDateTime.ToString(SecondsFormat, CultureInfo.InvariantCulture);

    /// <summary><c>metav1.MicroTime</c>, as leases and event times carry.</summary>
    public static string ToKubernetesMicroTime(this DateTimeOffset time) => time.UtcDateTime.ToString(MicroFormat, CultureInfo.InvariantCulture);
}
