using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer;

/// <summary>The API server's operations, for callers in this process. The HTTP face calls the same ones.</summary>
public sealed class ClusterApi(ApiContext context) : IClusterApi
{
    public ApiContext Context => context;

    public Task<JsonObject> GetAsync(ResourceId resource, string? @namespace, string name, CancellationToken ct)
    {
        var kind = Kind(resource);
        return Task.FromResult(Versions.FromStorage(kind, Reader.Get(context, kind, @namespace, name)));
    }

    public Task<JsonObject> ListAsync(ResourceId resource, string? @namespace, ListQuery query, CancellationToken ct)
    {
        var kind = Kind(resource);
        var page = Reader.List(context, kind, @namespace, Reader.Select(kind, query.LabelSelector, query.FieldSelector));
        return Task.FromResult(Lists.ToTree(kind, page));
    }

    public Task<JsonObject> CreateAsync(ResourceId resource, string? @namespace, JsonObject body, Caller caller, CancellationToken ct, string? name = null, string? subresource = null) =>
        Dispatch.CreateAsync(context, Kind(resource), @namespace, name, subresource, body.Copy(), new WriteRequest(caller), ct);

    public Task<JsonObject> UpdateAsync(ResourceId resource, string? @namespace, string name, JsonObject body, Caller caller, CancellationToken ct, string? subresource = null) =>
        Dispatch.UpdateAsync(context, new Target(Kind(resource), @namespace, name, subresource), body.Copy(), new WriteRequest(caller), ct);

    public async Task<JsonObject> PatchAsync(
        ResourceId resource, string? @namespace, string name, PatchKind kind, JsonNode patch, Caller caller, CancellationToken ct, string? subresource = null, bool force = false)
    {
        var (item, _) = await Dispatch.PatchAsync(context, new Target(Kind(resource), @namespace, name, subresource), kind, patch, new WriteRequest(caller) { Force = force }, ct);
        return item;
    }

    public Task<JsonObject> DeleteAsync(ResourceId resource, string? @namespace, string name, JsonObject? deleteOptions, Caller caller, CancellationToken ct) =>
        Deleter.DeleteAsync(context, new Target(Kind(resource), @namespace, name), DeleteOptions.From(deleteOptions), new WriteRequest(caller), ct);

    public async IAsyncEnumerable<WatchEvent> WatchAsync(ResourceId resource, string? @namespace, string? resourceVersion, ListQuery query, [EnumeratorCancellation] CancellationToken ct)
    {
        var kind = Kind(resource);
        var selection = Reader.Select(kind, query.LabelSelector, query.FieldSelector);
        var request = new WatchRequest(@namespace, selection, resourceVersion is { Length: > 0 } ? Reader.ParseVersion(resourceVersion) : 0, resourceVersion is null or "" or "0");
        await using var items = Watcher.WatchAsync(context, kind, request, ct).GetAsyncEnumerator(ct);
        while (await NextAsync(items)) yield return Event(kind, items.Current);
    }

    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<WatchItem> items)
    {
        try
        {
            return await items.MoveNextAsync();
        }
        catch (CompactedException e)
        {
            throw ApiErrors.Expired(e.Message);
        }
    }

    private static WatchEvent Event(ResourceKind kind, WatchItem item)
    {
        var tree = Versions.FromStorage(kind, item.Object!);
        tree.Metadata()["resourceVersion"] = item.ResourceVersion.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return new WatchEvent(item.Change!.Value.ToString().ToUpperInvariant(), tree);
    }

    private ResourceKind Kind(ResourceId resource) => context.Kinds.Find(resource) ?? throw ApiErrors.NoSuchResource();
}
