using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Server-side apply.</summary>
public static class Applier
{
    public static Task<(JsonObject Item, bool Created)> ApplyAsync(ApiContext context, Target target, JsonNode? patch, WriteRequest request, CancellationToken ct) =>
        throw ApiErrors.MethodNotAllowed();
}
