using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>Turns a request body into an object of the kind that the URL names, or refuses it in the server's words.</summary>
public static class BodyDecoder
{
    public static JsonObject Decode(ResourceKind kind, JsonNode? body, WriteRequest request)
    {
        if (body is not JsonObject map) throw ApiErrors.BadRequest($"couldn't get version/kind; json parse error: json: cannot unmarshal value into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}");
        CheckKind(kind, map);
        var report = new DecodeReport();
        var strict = request.FieldValidation != FieldValidation.Ignore;
        try
        {
            if (strict) foreach (var path in request.Duplicates) report.Duplicate(path);
            var item = kind.Codec.Decode(map, strict ? report : null);
            Report(kind, report, request);
            return item;
        }
        catch (DecodeException e)
        {
            throw ApiErrors.BadRequest($"{kind.Kind} in version \"{kind.Version}\" cannot be handled as a {kind.Kind}: {e.Message}");
        }
    }

    /// <summary>Reports unknown and repeated fields of a body that is decoded later, or never whole.</summary>
    public static void CheckStrict(ResourceKind kind, JsonObject body, WriteRequest request)
    {
        if (request.FieldValidation == FieldValidation.Ignore) return;
        var report = new DecodeReport();
        foreach (var path in request.Duplicates) report.Duplicate(path);
        kind.Codec.Decode(body, report);
        Report(kind, report, request);
    }

    /// <summary>The body's namespace must be the request's; an absent one is filled in.</summary>
    public static void CheckNamespace(ResourceKind kind, JsonObject item, string? @namespace)
    {
        var meta = item.Metadata();
        var given = meta["namespace"].Str() ?? "";
        if (!kind.Namespaced)
        {
            if (given.Length > 0) throw ApiErrors.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
            return;
        }

        if (given.Length > 0 && given != @namespace) throw ApiErrors.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        meta["namespace"] = @namespace;
    }

    private static void CheckKind(ResourceKind kind, JsonObject body)
    {
        body.Default("apiVersion", kind.ApiVersion);
        body.Default("kind", kind.Kind);
        var (apiVersion, name) = (body["apiVersion"].Str(), body["kind"].Str());
        if (apiVersion == kind.ApiVersion && name == kind.Kind) return;
        throw ApiErrors.BadRequest(apiVersion == kind.ApiVersion && !kind.Custom
            ? $"{name} in version \"{kind.Version}\" cannot be handled as a {kind.Kind}: converting (v1.{name}) to ({GoGroup(kind)}.{kind.Kind}): unknown conversion"
            : $"the API version in the data ({apiVersion}) does not match the expected API version ({kind.ApiVersion})");
    }

    private static string GoGroup(ResourceKind kind) => kind.Group.Length == 0 ? "core" : kind.Group.Split('.')[0];

    private static void Report(ResourceKind kind, DecodeReport report, WriteRequest request)
    {
        if (report.Findings.Count == 0) return;
        if (request.FieldValidation == FieldValidation.Strict)
        {
            throw ApiErrors.BadRequest($"{kind.Kind} in version \"{kind.Version}\" cannot be handled as a {kind.Kind}: strict decoding error: {string.Join(", ", report.Findings)}");
        }

        foreach (var finding in report.Findings) request.Warn(finding);
    }
}
