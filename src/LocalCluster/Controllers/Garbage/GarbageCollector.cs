using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.Controllers.Runtime;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Garbage;

/// <summary>
/// Deletes what has lost its owners and lets owners go that wait for their dependants. Watches every kind that is served, custom ones as they come;
/// an owner counts as absent only after a live read.
/// </summary>
internal sealed class GarbageCollector : IController
{
    private const string ByAnyOwner = "any-owner";
    private readonly ControllerContext _context;
    private readonly KindRegistry _kinds;
    private readonly ControllerLoop<(ResourceId Resource, ObjectKey Key)> _loop;
    private readonly Executor _executor;
    private readonly Lock _gate = new();
    private readonly Dictionary<ResourceId, ObjectCache> _watched = [];

    public GarbageCollector(ControllerContext context, KindRegistry kinds)
    {
        _context = context;
        _kinds = kinds;
        _loop = context.Loop<(ResourceId, ObjectKey)>("garbage", ReconcileAsync);
        _executor = context.ExecutorFor("garbage-collector-controller");
        WatchNewKinds();
        kinds.Changed += WatchNewKinds;
    }

    public async Task RunAsync(CancellationToken ct)
    {
        await _loop.RunAsync(ct);
        _kinds.Changed -= WatchNewKinds;
    }

    private void WatchNewKinds()
    {
        lock (_gate)
        {
            foreach (var kind in _kinds.All.Where(IsCollected).DistinctBy(k => k.StorageKey))
            {
                if (_watched.ContainsKey(kind.Id)) continue;
                var cache = _watched[kind.Id] = _context.Caches.Of(kind.Id);
                cache.WithIndex(ByAnyOwner, o => o.Owners.Select(owner => owner.Uid));
                cache.Subscribe(change => OnChange(kind.Id, change));
            }
        }
    }

    // Events own nothing, are owned by nothing and are many.
    private static bool IsCollected(ResourceKind kind) =>
        kind.Plural != "events" && kind.Verbs.Contains("delete") && kind.Verbs.Contains("list") && kind.Verbs.Contains("watch");

    private void OnChange(ResourceId resource, ObjectChange change)
    {
        if (change.After is { } after)
        {
            if (after.At("metadata", "ownerReferences") is not null || after.IsTerminating) _loop.Enqueue((resource, after.Key));
            if (GarbageDecision.WaitsForDependants(after) && change.Before is { } before && !GarbageDecision.WaitsForDependants(before)) EnqueueDependants(after.Uid);
        }
        else
        {
            EnqueueDependants(change.Before!.Uid);
        }

        // An owner that waits for this dependant may be free now.
        if (change.Before is { } was) EnqueueOwners(was);
    }

    // Not under the lock of the cache that raised the change: its index may be asked, so this runs on the queue's side.
    private void EnqueueDependants(string uid) => _loop.Enqueue((default, new(uid, "")));

    private void EnqueueOwners(JsonObject o)
    {
        foreach (var owner in o.Owners)
        {
            if (_kinds.FindKind(owner.ApiVersion, owner.Kind) is { } kind) _loop.Enqueue((kind.Id, OwnerKey(kind, o, owner)));
        }
    }

    private async Task<TimeSpan?> ReconcileAsync((ResourceId Resource, ObjectKey Key) item, CancellationToken ct)
    {
        if (item.Resource.Plural is null)
        {
            foreach (var dependant in Dependants(item.Key.Namespace)) _loop.Enqueue((dependant.Resource, dependant.Object.Key));
            return null;
        }

        if (_context.Caches.Find(item.Resource)?.Get(item.Key) is not { } o) return null;
        var dependants = Dependants(o.Uid);
        var states = new Dictionary<OwnerReference, OwnerState>();
        foreach (var owner in o.Owners) states[owner] = await StateOfAsync(o, owner, ct);
        var acts = GarbageDecision.AsDependant(item.Resource, o, owner => states[owner], dependants.Count > 0).Concat(GarbageDecision.AsOwner(item.Resource, o, dependants));
        await _executor.RunAsync(acts.ToList(), ct);
        return null;
    }

    private List<(ResourceId Resource, JsonObject Object)> Dependants(string uid)
    {
        KeyValuePair<ResourceId, ObjectCache>[] watched;
        lock (_gate) watched = [.. _watched];
        return [.. watched.SelectMany(entry => entry.Value.ByIndex(ByAnyOwner, uid).Select(o => (entry.Key, o)))];
    }

    private async Task<OwnerState> StateOfAsync(JsonObject dependant, OwnerReference owner, CancellationToken ct)
    {
        if (_kinds.FindKind(owner.ApiVersion, owner.Kind) is not { } kind) return OwnerState.Unknown;
        var key = OwnerKey(kind, dependant, owner);
        var known = _context.Caches.Find(kind.Id)?.Get(key);
        if (known?.Uid != owner.Uid) known = await ReadAsync(kind, key, ct);
        if (known?.Uid != owner.Uid) return OwnerState.Absent;
        return GarbageDecision.WaitsForDependants(known) ? OwnerState.WaitingForDependants : OwnerState.Solid;
    }

    private async Task<JsonObject?> ReadAsync(ResourceKind kind, ObjectKey key, CancellationToken ct)
    {
        try
        {
            return await _context.Api.GetAsync(kind.Id, kind.Namespaced ? key.Namespace : null, key.Name, ct);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            return null;
        }
    }

    private static ObjectKey OwnerKey(ResourceKind kind, JsonObject dependant, OwnerReference owner) => new(kind.Namespaced ? dependant.Namespace : "", owner.Name);
}
