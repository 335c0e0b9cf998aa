using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;

namespace Opt.Trainer.Agent.Http;

/// <summary>
/// Copies of checkpoint objects that this node holds, for the workers of others: <c>GET /v1/copies</c>, <c>GET /v1/copies/NAME</c> with a range,
/// <c>PUT /v1/copies/NAME?beside=FOLDER</c>. Only names of checkpoint objects are known here.
/// </summary>
internal static class CopyEndpoints
{
    /// <param name="epoch">Highest epoch the agent has seen: workers of an older one, which live on behind a cut, must not displace what newer ones keep.</param>
    public static void Map(WebApplication app, NodeCopies copies, Func<long> epoch)
    {
        app.MapGet("/v1/copies", (RequestDelegate)(context => ListAsync(context, copies)));
        app.MapGet("/v1/copies/{**name}", (RequestDelegate)(context => GetAsync(context, copies)));
        app.MapPut("/v1/copies/{**name}", (RequestDelegate)(context => PutAsync(context, copies, epoch())));
    }

    private static Task ListAsync(HttpContext context, NodeCopies copies)
    {
        var list = new CopyList { Copies = [.. copies.List().Select(c => new HeldCopy(c.Name, c.Bytes))] };
        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(list, ProtocolJson.Default.CopyList), context.RequestAborted).AsTask();
    }

    private static async Task GetAsync(HttpContext context, NodeCopies copies)
    {
        if (copies.Find(NameOf(context)) is not { } path)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var length = new FileInfo(path).Length;
        var range = context.Request.GetTypedHeaders().Range?.Ranges.FirstOrDefault();
        var (from, to) = (range?.From ?? 0, Math.Min(range?.To ?? length - 1, length - 1));
        if (from > to)
        {
            context.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            return;
        }

        context.Response.StatusCode = range is null ? StatusCodes.Status200OK : StatusCodes.Status206PartialContent;
        context.Response.ContentLength = to - from + 1;
        await context.Response.SendFileAsync(path, from, to - from + 1, context.RequestAborted);
    }

    private static async Task PutAsync(HttpContext context, NodeCopies copies, long epoch)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = null;
        if (context.Request.ContentLength is not { } length)
        {
            context.Response.StatusCode = StatusCodes.Status411LengthRequired;
            return;
        }

        if (!CheckpointNames.TryParse(NameOf(context), out _, out var written) || written < epoch)
        {
            context.Response.StatusCode = written < epoch && written > 0 ? StatusCodes.Status409Conflict : StatusCodes.Status400BadRequest;
            return;
        }

        var kept = await copies.TryKeepAsync(NameOf(context), length, context.Request.Body, (string?)context.Request.Query["beside"], context.RequestAborted);
        context.Response.StatusCode = kept ? StatusCodes.Status201Created : StatusCodes.Status507InsufficientStorage;
    }

    private static string NameOf(HttpContext context) => (string?)context.Request.RouteValues["name"] ?? "";
}
