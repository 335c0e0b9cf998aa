using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Path elements in their wire form.</summary>
public static class PathElement
{
    public static string Field(string name) => "f:" + name;

    /// <summary>How an item of a list is addressed; null for lists that are owned as a whole.</summary>
    /// <exception cref="ApplyException">The item lacks a key, or is of the wrong kind.</exception>
    public static string? Of(JsonNode? item, ListSchema list)
    {
        if (list.Kind == ListKind.Set) return "v:" + JsonText.ToText(item);
        if (list.Kind != ListKind.Map) return null;
        if (item is not JsonObject map) throw new ApplyException("associative list with keys may not have non-map elements");
        var key = new JsonObject();
        foreach (var name in list.Keys.Order(StringComparer.Ordinal)) key[name] = KeyValue(map, name, list.Element);
        return "k:" + JsonText.ToText(key);
    }

    /// <summary>Key elements that someone else wrote may have another order or spacing.</summary>
    public static string Canonical(string element)
    {
        if (!element.StartsWith("k:", StringComparison.Ordinal)) return element;
        try
        {
            return "k:" + JsonText.ToText(Schema.Canonical.Sorted(JsonText.Parse(System.Text.Encoding.UTF8.GetBytes(element[2..]))));
        }
        catch (JsonException)
        {
            return element;
        }
    }

    /// <summary>A path as conflict messages show it: <c>.spec.rules[name="a"].value</c>.</summary>
    public static string Display(IEnumerable<string> path) => string.Concat(path.Select(Display));

    private static string Display(string element) => element[..2] switch
    {
        "f:" => "." + element[2..],
        "v:" => $"[={element[2..]}]",
        "k:" when JsonText.Parse(System.Text.Encoding.UTF8.GetBytes(element[2..])) is JsonObject key => $"[{string.Join(",", key.Select(k => $"{k.Key}={JsonText.ToText(k.Value)}"))}]",
        _ => $"[{element[2..]}]",
    };

    private static JsonNode? KeyValue(JsonObject item, string name, TypeSchema element)
    {
        if (item[name] is { } value) return value.DeepClone();
        var fallback = (element as StructSchema)?.Field(name)?.Default;
        return fallback is not null ? JsonValue.Create(fallback)
            : throw new ApplyException($"associative list with keys has an element that omits key field \"{name}\" (and doesn't have default value)");
    }
}

/// <summary>An object does not fit its type, so that ownership of its fields cannot be told.</summary>
public sealed class ApplyException(string message) : Exception(message);
