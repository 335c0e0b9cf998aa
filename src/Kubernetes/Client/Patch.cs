using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.Kubernetes;

/// <summary>A change to an object, in one of the server's languages. Server-side apply has its own method.</summary>
public sealed class Patch
{
    private Patch(string contentType, JsonNode body, bool repeatable) => (ContentType, Body, IsRepeatable) = (contentType, body, repeatable);

    internal string ContentType { get; }

    internal JsonNode Body { get; }

    internal bool IsRepeatable { get; }

    internal ReadOnlyMemory<byte> ToBytes() => JsonSerializer.SerializeToUtf8Bytes(Body, InternalJson.Default.JsonNode);

    /// <summary>RFC 7386: null removes a field, lists are replaced whole. Setting values twice is harmless, so it is retried.</summary>
    public static Patch Merge(JsonObject body) => new("application/merge-patch+json", body, repeatable: true);

    /// <summary>Kubernetes' own merge, which knows the keys of lists. Built-in kinds only.</summary>
    public static Patch StrategicMerge(JsonObject body) => new("application/strategic-merge-patch+json", body, repeatable: false);

    /// <summary>RFC 6902. All operations apply, or none.</summary>
    public static Patch Json(params IEnumerable<JsonPatchOperation> operations) =>
        new("application/json-patch+json", new JsonArray([.. operations.Select(o => o.ToJson())]), repeatable: false);
}

/// <summary>One operation of a JSON patch.</summary>
public sealed class JsonPatchOperation
{
    private readonly JsonObject _json;

    private JsonPatchOperation(JsonObject json) => _json = json;

    /// <summary>Refuses the whole patch with 422 unless the value is there and equal.</summary>
    public static JsonPatchOperation Test(string path, JsonNode? value) => new(new JsonObject { ["op"] = "test", ["path"] = path, ["value"] = value?.DeepClone() });

    public static JsonPatchOperation Add(string path, JsonNode? value) => new(new JsonObject { ["op"] = "add", ["path"] = path, ["value"] = value?.DeepClone() });

    public static JsonPatchOperation Replace(string path, JsonNode? value) => new(new JsonObject { ["op"] = "replace", ["path"] = path, ["value"] = value?.DeepClone() });

    public static JsonPatchOperation Remove(string path) => new(new JsonObject { ["op"] = "remove", ["path"] = path });

    /// <summary>A JSON pointer (RFC 6901) to <paramref name="segments"/>, escaped.</summary>
    public static string Pointer(params IEnumerable<string> segments) =>
        string.Concat(segments.Select(s => "/" + s.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)));

    internal JsonNode ToJson() => _json.DeepClone();
}
