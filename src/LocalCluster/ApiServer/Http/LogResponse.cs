using System.Globalization;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>GET pods/NAME/log.</summary>
internal static class LogResponse
{
    public static async Task WriteAsync(ApiContext context, HttpContext http, RequestPath path, ResourceKind kind, IPodLogs? logs)
    {
        var pod = Reader.Get(context, kind, path.Namespace, path.Name!).ToTree();
        var container = Container(pod, http.Request.Query["container"].ToString());
        if (string.IsNullOrEmpty(pod.Str("spec", "nodeName")) || logs is null)
        {
            throw ApiErrors.BadRequest($"pod {pod.Name()} does not have a host assigned");
        }

        await using var pieces = logs.ReadAsync(pod, container, Options(http.Request.Query, context.Clock), http.RequestAborted).GetAsyncEnumerator(http.RequestAborted);
        var any = await pieces.MoveNextAsync();   // a refusal must come before the headers do
        http.Response.ContentType = "text/plain";
        await http.Response.StartAsync(http.RequestAborted);
        while (any)
        {
            await http.Response.BodyWriter.WriteAsync(pieces.Current, http.RequestAborted);
            any = await pieces.MoveNextAsync();
        }
    }

    private static string Container(System.Text.Json.Nodes.JsonObject pod, string asked)
    {
        var names = pod.Items("spec", "containers").Select(c => c.Str("name")!).ToArray();
        var all = names.Concat(pod.Items("spec", "initContainers").Select(c => c.Str("name")!)).ToArray();
        if (asked.Length > 0) return all.Contains(asked) ? asked : throw ApiErrors.BadRequest($"container {asked} is not valid for pod {pod.Name()}");
        return names.Length == 1 ? names[0]
            : throw ApiErrors.BadRequest($"a container name must be specified for pod {pod.Name()}, choose one of: [{string.Join(' ', names)}]");
    }

    private static PodLogOptions Options(IQueryCollection query, TimeProvider clock) => new()
    {
        Follow = Verbs.IsTrue(query["follow"]),
        Previous = Verbs.IsTrue(query["previous"]),
        Timestamps = Verbs.IsTrue(query["timestamps"]),
        TailLines = Number(query["tailLines"]),
        LimitBytes = Number(query["limitBytes"]),
        Since = Scalars.TryTime(query["sinceTime"], out var time) ? time : Number(query["sinceSeconds"]) is { } seconds ? clock.GetUtcNow().AddSeconds(-seconds) : null,
    };

    private static long? Number(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : null;
}
