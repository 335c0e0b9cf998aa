using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.LocalCluster.ApiServer.Tables;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>A watch over HTTP: one JSON event a line until the client goes or the time is up.</summary>
internal static class WatchResponse
{
    private const int FlushAt = 64 * 1024;   // bytes that wait for events right behind them
    private static readonly TimeSpan BookmarkEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(30);

    public static async Task WriteAsync(ApiContext context, HttpContext http, ResourceKind kind, RequestPath path)
    {
        var query = http.Request.Query;
        var negotiated = Negotiated.For(http.Request.Headers.Accept, null, null);
        var request = Parse(kind, query, path, context);
        using var timeout = new CancellationTokenSource(Timeout(query["timeoutSeconds"]), context.Clock);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, http.RequestAborted, context.Stopping);
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        http.Response.ContentType = negotiated.Form == Form.Plain ? "application/json" : "application/json;stream=watch";
        http.Response.Headers.CacheControl = "no-cache, private";
        await http.Response.StartAsync(ends.Token);
        await http.Response.BodyWriter.FlushAsync(ends.Token);
        try
        {
            await StreamAsync(context, http, kind, request, new WatchForm(kind, negotiated.Form, query["includeObject"].ToString(), context.Clock), ends.Token);
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The end of a watch is the end of its body.
        }
    }

    private static async Task StreamAsync(ApiContext context, HttpContext http, ResourceKind kind, WatchRequest request, WatchForm form, CancellationToken ct)
    {
        var writer = http.Response.BodyWriter;
        var pending = 0;
        try
        {
            await foreach (var item in Watcher.WatchAsync(context, kind, request, ct))
            {
                form.Write(writer, item);
                pending += item.Object?.Json.Length ?? 0;
                if (item.MoreFollow && pending < FlushAt) continue;
                pending = 0;
                await writer.FlushAsync(ct);
            }
        }
        catch (CompactedException e)
        {
            WatchForm.WriteError(writer, ApiErrors.Expired(e.Message).Status);
            await writer.FlushAsync(ct);
        }
    }

    private static WatchRequest Parse(ResourceKind kind, IQueryCollection query, RequestPath path, ApiContext context)
    {
        var selection = Reader.Select(kind, query["labelSelector"], Named(query["fieldSelector"], path.Name));
        var (version, send, bookmarks) = (query["resourceVersion"].ToString(), query["sendInitialEvents"].ToString(), Verbs.IsTrue(query["allowWatchBookmarks"]));
        var after = version.Length > 0 ? Reader.ParseVersion(version) : 0;
        if (send.Length > 0) CheckInitialEvents(query["resourceVersionMatch"].ToString());
        var initial = send.Length > 0 ? Verbs.IsTrue(send) : after == 0;
        if (initial && after > 0) Reader.RequireReached(version, context.Store.Revision);
        if (send.Length > 0 && !initial && after == 0) after = context.Store.Revision;
        return new WatchRequest(path.Namespace, selection, after, initial, send.Length > 0 && initial && bookmarks, bookmarks ? BookmarkEvery : null);
    }

    private static string? Named(string? fields, string? name) =>
        name is null ? fields : string.IsNullOrEmpty(fields) ? $"metadata.name={name}" : $"{fields},metadata.name={name}";

    private static void CheckInitialEvents(string match)
    {
        if (match == "NotOlderThan") return;
        throw ApiErrors.Invalid("meta.k8s.io", "ListOptions", "", [match.Length == 0
            ? FieldError.Forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
            : FieldError.NotSupported("resourceVersionMatch", match, ["NotOlderThan"])]);
    }

    private static TimeSpan Timeout(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > 0 ? TimeSpan.FromSeconds(seconds) : DefaultTimeout;
}

/// <summary>Writes the events of one watch in the form that its client accepts.</summary>
internal sealed class WatchForm(ResourceKind kind, Form form, string include, TimeProvider clock)
{
    private bool _headed;

    public void Write(IBufferWriter<byte> writer, WatchItem item)
    {
        if (item.Object is not { } stored)
        {
            Line(writer, "BOOKMARK", JsonText.ToUtf8(Bookmark(item)));
            return;
        }

        var type = item.Change!.Value switch { Change.Added => "ADDED", Change.Modified => "MODIFIED", _ => "DELETED" };
        if (form == Form.Plain && kind.Conversion is null && stored.ResourceVersion == item.ResourceVersion) Line(writer, type, stored.Json.Span);
        else Line(writer, type, JsonText.ToUtf8(Shaped(item, stored)));
    }

    public static void WriteError(IBufferWriter<byte> writer, JsonObject status) => Line(writer, "ERROR", JsonText.ToUtf8(status));

    private JsonObject Shaped(WatchItem item, StoredObject stored)
    {
        var tree = Versions.FromStorage(kind, stored);
        tree.Metadata()["resourceVersion"] = item.ResourceVersion.ToString(CultureInfo.InvariantCulture);
        if (form is Form.Metadata or Form.MetadataList) return PartialMetadata.Of(tree);
        if (form != Form.Table) return tree;
        var table = TableBuilder.Build(kind, [tree], new JsonObject { ["resourceVersion"] = item.ResourceVersion.ToString(CultureInfo.InvariantCulture) }, include, clock.GetUtcNow());
        if (_headed) table["columnDefinitions"] = null;
        _headed = true;
        return table;
    }

    private JsonObject Bookmark(WatchItem item)
    {
        var meta = new JsonObject { ["resourceVersion"] = item.ResourceVersion.ToString(CultureInfo.InvariantCulture) };
        if (item.InitialEnd) meta["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        var mark = new JsonObject { ["kind"] = kind.Kind, ["apiVersion"] = kind.ApiVersion, ["metadata"] = meta };
        return form switch
        {
            Form.Metadata or Form.MetadataList => PartialMetadata.Of(mark),
            Form.Table => TableBuilder.Build(kind, [mark], new JsonObject { ["resourceVersion"] = meta["resourceVersion"]!.DeepClone() }, include, clock.GetUtcNow()),
            _ => mark,
        };
    }

    private static void Line(IBufferWriter<byte> writer, string type, ReadOnlySpan<byte> json)
    {
        writer.Write("{\"type\":\""u8);
        Encoding.UTF8.GetBytes(type, writer);
        writer.Write("\",\"object\":"u8);
        writer.Write(json);
        writer.Write("}\n"u8);
    }
}
