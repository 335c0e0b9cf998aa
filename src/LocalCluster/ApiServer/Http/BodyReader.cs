using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>Request bodies as trees.</summary>
internal static class BodyReader
{
    public const int MaxBytes = 3 * 1024 * 1024;
    private const int Shown = 1024;
    private const string Protobuf = "application/vnd.kubernetes.protobuf";

    /// <summary>Reads a JSON or YAML object of a kind; the second part are the members it repeats.</summary>
    public static async Task<(JsonNode? Body, List<string> Duplicates)> ReadAsync(HttpRequest request, ResourceKind kind, CancellationToken ct)
    {
        var type = MediaType.Parse(request.ContentType ?? "application/json");
        if (type?.Name is not ("application/json" or "application/yaml" or Protobuf)) throw ApiErrors.UnsupportedMediaType(Negotiated.Supported);
        var bytes = await BytesAsync(request, ct);
        var duplicates = new List<string>();
        if (type.Name == Protobuf) return (FromProtobuf(bytes, kind), duplicates);
        if (type.Name == "application/yaml") return (Yaml(bytes, duplicates), duplicates);
        try
        {
            return (JsonText.Parse(bytes, duplicates), duplicates);
        }
        catch (JsonException e)
        {
            throw ApiErrors.BadRequest(
                $"the object provided is unrecognized (must be of type {kind.Kind}): couldn't get version/kind; json parse error: {GoJson.Message(e, bytes)} ({Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, Shown)))})");
        }
    }

    /// <summary>Reads a patch document.</summary>
    public static async Task<(JsonNode? Patch, List<string> Duplicates)> ReadPatchAsync(HttpRequest request, bool yaml, CancellationToken ct)
    {
        var bytes = await BytesAsync(request, ct);
        var duplicates = new List<string>();
        if (yaml) return (Yaml(bytes, duplicates), duplicates);
        try
        {
            return (JsonText.Parse(bytes, duplicates), duplicates);
        }
        catch (JsonException e)
        {
            throw ApiErrors.BadRequest($"error decoding patch: {GoJson.Message(e, bytes)}");
        }
    }

    /// <summary>Reads an optional object, as DELETE carries.</summary>
    public static async Task<JsonObject?> ReadOptionalAsync(HttpRequest request, CancellationToken ct)
    {
        var bytes = await BytesAsync(request, ct);
        if (bytes.Length == 0) return null;
        if (bytes.AsSpan().StartsWith(ProtoReader.Magic)) return FromProtobuf(bytes, null);
        try
        {
            return (MediaType.Parse(request.ContentType ?? "")?.Name == "application/yaml" ? Yaml(bytes, []) : JsonText.Parse(bytes)) as JsonObject
                ?? throw ApiErrors.BadRequest("the request body must be an object");
        }
        catch (JsonException e)
        {
            throw ApiErrors.BadRequest($"couldn't get version/kind; json parse error: {GoJson.Message(e, bytes)}");
        }
    }

    // The envelope names the kind that is inside; what the URL wants is checked later, as for JSON.
    private static JsonObject FromProtobuf(byte[] bytes, ResourceKind? kind)
    {
        try
        {
            var (apiVersion, name, raw) = ProtoReader.Open(bytes);
            var group = apiVersion.Contains('/', StringComparison.Ordinal) ? apiVersion.Split('/')[0].Split('.')[0] : "core";
            var type = name == "DeleteOptions" ? "meta.DeleteOptions" : $"{group}.{name}";
            if (!TypeCatalog.All.TryGetValue(type, out var schema)) throw new FormatException($"no kind \"{name}\" is registered for version \"{apiVersion}\"");
            var item = ProtoReader.Read(raw, schema);
            item["apiVersion"] = apiVersion;
            item["kind"] = name;
            return item;
        }
        catch (FormatException e)
        {
            throw ApiErrors.BadRequest($"the object provided is unrecognized (must be of type {kind?.Kind ?? "DeleteOptions"}): {e.Message}");
        }
    }

    private static JsonNode? Yaml(byte[] bytes, List<string> duplicates)
    {
        if (Json(bytes, duplicates) is { } json) return json;
        try
        {
            return YamlTree.Parse(Encoding.UTF8.GetString(bytes), duplicates);
        }
        catch (FormatException e)
        {
            throw ApiErrors.BadRequest($"error decoding YAML: {e.Message}");
        }
    }

    // What is sent as YAML is JSON almost always, and the YAML parser takes twenty times as long for it.
    private static JsonObject? Json(byte[] bytes, List<string> duplicates)
    {
        if (bytes is not [(byte)'{', ..]) return null;
        try
        {
            return JsonText.Parse(bytes, duplicates) as JsonObject;
        }
        catch (JsonException)
        {
            duplicates.Clear();
            return null;
        }
    }

    private static async Task<byte[]> BytesAsync(HttpRequest request, CancellationToken ct)
    {
        if (request.ContentLength > MaxBytes) throw TooLarge();
        using var buffer = new MemoryStream();
        var chunk = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            int read;
            while ((read = await request.Body.ReadAsync(chunk, ct)) > 0)
            {
                buffer.Write(chunk, 0, read);
                if (buffer.Length > MaxBytes) throw TooLarge();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }

        return buffer.ToArray();
    }

    private static ApiException TooLarge() => ApiErrors.TooLarge($"Request entity too large: limit is {MaxBytes}");
}
