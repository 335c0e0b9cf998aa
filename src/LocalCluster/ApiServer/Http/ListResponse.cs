using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>Writes lists from the stored bytes, without parsing anything.</summary>
internal static class ListResponse
{
    private const int FlushEvery = 64 * 1024;

    public static async Task WriteAsync(HttpContext http, ResourceKind kind, Page page)
    {
        http.Response.StatusCode = 200;
        http.Response.ContentType = "application/json";
        http.Response.Headers.CacheControl = "no-cache, private";
        var writer = http.Response.BodyWriter;
        Write(writer, Encoding.UTF8.GetBytes($"{{\"kind\":\"{kind.ListKind}\",\"apiVersion\":\"{kind.ApiVersion}\",\"metadata\":{JsonText.ToText(Lists.Metadata(page))},\"items\":["));
        var skip = kind.Custom ? 0 : TypeMetaLength(kind);
        var pending = 0;
        for (var i = 0; i < page.Items.Count; i++)
        {
            if (i > 0) Write(writer, ","u8);
            var json = page.Items[i].Json.Span;
            if (skip > 0) Write(writer, "{"u8);
            Write(writer, json[skip..]);
            pending += json.Length;
            if (pending < FlushEvery) continue;
            pending = 0;
            await writer.FlushAsync(http.RequestAborted);
        }

        Write(writer, "]}"u8);
        await writer.FlushAsync(http.RequestAborted);
    }

    /// <summary>The bytes of <c>{"kind":"K","apiVersion":"V",</c>, with which every stored object of a built-in kind begins.</summary>
    public static int TypeMetaLength(ResourceKind kind) => Encoding.UTF8.GetByteCount($"{{\"kind\":\"{kind.Kind}\",\"apiVersion\":\"{kind.ApiVersion}\",");

    private static void Write(IBufferWriter<byte> writer, ReadOnlySpan<byte> bytes) => writer.Write(bytes);
}
