using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Http;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;

namespace Opt.LocalCluster.ApiServer.OpenApi;

/// <summary>OpenAPI of what is served: version 3 by group, version 2 whole. Documents are made when first asked for, and again when CRDs change.</summary>
internal sealed class OpenApiDocuments(KindRegistry kinds)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, byte[]> _documents = new(StringComparer.Ordinal);
    private ImmutableArray<ResourceKind> _of;

    public Task ServeAsync(HttpContext http, string path)
    {
        var wanted = path["/openapi/".Length..].TrimEnd('/');
        if (wanted is not ("v2" or "v3") && !Groups().ContainsKey(wanted.StartsWith("v3/", StringComparison.Ordinal) ? wanted[3..] : "")) return Responses.NotFoundPageAsync(http);
        var accepted = MediaType.ParseAll(http.Request.Headers.Accept);
        if (accepted.Count > 0 && !accepted.Any(t => t.Name is "application/json" or "*/*" or "application/*")) throw ApiErrors.NotAcceptable("application/json");
        var body = Document(wanted);
        http.Response.Headers.ETag = $"\"{Hash(body)}\"";
        http.Response.Headers.Vary = "Accept";
        if (http.Request.Headers.IfNoneMatch != http.Response.Headers.ETag) return Responses.BytesAsync(http, 200, body);
        http.Response.StatusCode = 304;
        return Task.CompletedTask;
    }

    private byte[] Document(string name)
    {
        lock (_gate)
        {
            if (_of != kinds.All)
            {
                _of = kinds.All;
                _documents.Clear();
            }

            if (_documents.TryGetValue(name, out var known)) return known;
        }

        var made = JsonText.ToUtf8(name switch { "v2" => Version2(), "v3" => Index(), _ => Version3(name[3..]) });
        lock (_gate) return _documents[name] = made;
    }

    private Dictionary<string, ResourceKind[]> Groups() => kinds.All.GroupBy(Path).ToDictionary(g => g.Key, g => g.ToArray());

    private static string Path(ResourceKind kind) => kind.Group.Length == 0 ? $"api/{kind.Version}" : $"apis/{kind.Group}/{kind.Version}";

    private JsonObject Index()
    {
        var paths = new JsonObject();
        foreach (var path in Groups().Keys.Order(StringComparer.Ordinal)) paths[path] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{path}?hash={Hash(Document($"v3/{path}"))}" };
        return new JsonObject { ["paths"] = paths };
    }

    private JsonObject Version3(string path)
    {
        var (schemas, paths) = (new SchemaWriter("#/components/schemas/"), new JsonObject());
        foreach (var kind in Groups()[path])
        {
            schemas.Add(kind);
            PathWriter.Add(paths, kind, schemas, isV3: true);
        }

        return new JsonObject { ["openapi"] = "3.0.0", ["info"] = Info(), ["paths"] = paths, ["components"] = new JsonObject { ["schemas"] = schemas.Schemas() } };
    }

    private JsonObject Version2()
    {
        var (schemas, paths) = (new SchemaWriter("#/definitions/"), new JsonObject());
        foreach (var kind in kinds.All)
        {
            schemas.Add(kind);
            PathWriter.Add(paths, kind, schemas, isV3: false);
        }

        return new JsonObject { ["swagger"] = "2.0", ["info"] = Info(), ["paths"] = paths, ["definitions"] = schemas.Schemas() };
    }

    private static JsonObject Info() => new() { ["title"] = "Kubernetes", ["version"] = "v1.36.2" };

    private static string Hash(byte[] body) => Convert.ToHexString(SHA512.HashData(body).AsSpan(0, 32));
}
