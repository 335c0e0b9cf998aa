using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Json;

/// <summary>Forgiving reads of JSON trees: a value of another type reads as absent.</summary>
public static class JsonAccess
{
    public static string? Str(this JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    public static bool? Bool(this JsonNode? node) => node is JsonValue value && value.TryGetValue(out bool flag) ? flag : null;

    public static long? Long(this JsonNode? node)
    {
        if (node is not JsonValue value) return null;
        if (value.TryGetValue(out long l)) return l;
        if (value.TryGetValue(out int i)) return i;
        return value.TryGetValue(out double d) && Math.Floor(d) == d && Math.Abs(d) < 9e18 ? (long)d : null;
    }

    public static double? Double(this JsonNode? node)
    {
        if (node is not JsonValue value) return null;
        if (value.TryGetValue(out double d)) return d;
        if (value.TryGetValue(out long l)) return l;
        if (value.TryGetValue(out int i)) return i;
        return value.TryGetValue(out decimal m) ? (double)m : null;
    }

    /// <summary>The node at a path of member names, or null where the path ends early.</summary>
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (node is not JsonObject holder || !holder.TryGetPropertyValue(name, out node)) return null;
        }

        return node;
    }

    public static string? Str(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path).Str();

    public static long? Long(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path).Long();

    public static JsonObject? Obj(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonObject;

    public static JsonArray? Arr(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonArray;

    /// <summary>The objects of the list at a path; empty when there is none.</summary>
    public static IEnumerable<JsonObject> Items(this JsonNode? node, params ReadOnlySpan<string> path) => node.Arr(path)?.OfType<JsonObject>() ?? [];

    /// <summary>The strings of the list at a path; empty when there is none.</summary>
    public static IReadOnlyList<string> Strings(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.Arr(path)?.Select(n => n.Str()).OfType<string>().ToArray() ?? [];

    /// <summary>The object at <paramref name="name"/>, made when missing.</summary>
    public static JsonObject Ensure(this JsonObject holder, string name)
    {
        if (holder[name] is JsonObject there) return there;
        var made = new JsonObject();
        holder[name] = made;
        return made;
    }

    /// <summary>Sets a member only where none is.</summary>
    public static void Default(this JsonObject holder, string name, JsonNode value)
    {
        if (holder[name] is null) holder[name] = value;
    }

    public static JsonObject Metadata(this JsonObject item) => item.Ensure("metadata");

    public static string Name(this JsonNode item) => item.Str("metadata", "name") ?? "";

    public static string Namespace(this JsonNode item) => item.Str("metadata", "namespace") ?? "";

    public static string Uid(this JsonNode item) => item.Str("metadata", "uid") ?? "";

    public static bool IsDeleting(this JsonNode item) => item.At("metadata", "deletionTimestamp") is not null;

    /// <summary>Adds the members of <paramref name="more"/>, which is consumed.</summary>
    public static JsonObject Merge(this JsonObject holder, JsonObject more)
    {
        foreach (var (name, value) in more.ToArray())
        {
            more.Remove(name);
            holder[name] = value;
        }

        return holder;
    }

    public static T Copy<T>(this T node)
        where T : JsonNode => (T)node.DeepClone();

    /// <summary>Equal as JSON; absent and null are the same.</summary>
    public static bool SameAs(this JsonNode? a, JsonNode? b) => JsonNode.DeepEquals(a, b);

    /// <summary>A number or a string as Go prints it with %v.</summary>
    public static string Plain(this JsonNode node) => node.GetValueKind() switch
    {
        JsonValueKind.String => node.Str()!,
        JsonValueKind.Number when node.Long() is { } whole => whole.ToString(CultureInfo.InvariantCulture),
        _ => node.ToJsonString(JsonText.Compact),
    };
}
