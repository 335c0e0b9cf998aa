using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Subresources;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>Sends a write to the operation for its subresource.</summary>
public static class Dispatch
{
    public static Task<JsonObject> CreateAsync(
        ApiContext context, ResourceKind kind, string? @namespace, string? name, string? subresource, JsonNode? body, WriteRequest request, CancellationToken ct) => (kind.Plural, subresource) switch
        {
            (_, null) when kind.Plural == "bindings" => Task.FromResult(Binding.Bind(context, context.Kinds.Find(ResourceId.Pods)!, @namespace ?? "", Body(body).Name(), Body(body), request)),
            (_, null) when Reviews.Answers(kind) => Task.FromResult(Reviews.Review(context, kind, @namespace, body, request)),
            (_, null) => Creator.CreateAsync(context, kind, @namespace, body, request, ct),
            ("pods", "binding") => Task.FromResult(Binding.Bind(context, kind, @namespace ?? "", name ?? "", Body(body), request)),
            ("pods", "eviction") => Eviction.EvictAsync(context, kind, @namespace ?? "", name ?? "", Body(body), request, ct),
            ("serviceaccounts", "token") => Task.FromResult(TokenRequests.Create(context, kind, @namespace ?? "", name ?? "", Body(body))),
            _ => throw ApiErrors.MethodNotAllowed(),
        };

    public static Task<JsonObject> UpdateAsync(ApiContext context, Target target, JsonNode? body, WriteRequest request, CancellationToken ct) => target.Subresource switch
    {
        "scale" when Has(target) => Scale.ChangeAsync(context, target, _ => body?.DeepClone(), request, ct),
        "finalize" when Has(target) => NamespaceFinalizer.UpdateAsync(context, target, Body(body), request, ct),
        null or "status" when Has(target) => Updater.UpdateAsync(context, target, body, request, ct),
        _ => throw ApiErrors.MethodNotAllowed(),
    };

    /// <summary>The patched object, and whether server-side apply created it.</summary>
    public static async Task<(JsonObject Item, bool Created)> PatchAsync(ApiContext context, Target target, PatchKind kind, JsonNode? patch, WriteRequest request, CancellationToken ct)
    {
        if (!Has(target)) throw ApiErrors.MethodNotAllowed();
        return target.Subresource switch
        {
            "scale" => (await Scale.ChangeAsync(context, target, scale => Scale.Patched(scale, kind, patch), request, ct), false),
            null or "status" when kind == PatchKind.Apply => await Apply.Applier.ApplyAsync(context, target, patch, request, ct),
            null or "status" => (await Patcher.PatchAsync(context, target, kind, patch, request, ct), false),
            _ => throw ApiErrors.MethodNotAllowed(),
        };
    }

    private static bool Has(Target target) => target.Subresource is null || target.Kind.Sub(target.Subresource) is not null ? true : throw ApiErrors.NoSuchResource();

    private static JsonObject Body(JsonNode? body) => body as JsonObject ?? throw ApiErrors.BadRequest("the request body must be an object");
}
