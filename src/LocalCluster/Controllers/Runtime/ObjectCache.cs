using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>
/// All objects of one resource, kept up to date by list and watch. Objects in it are shared and never changed in place: who writes, copies.
/// What a controller of this process has written is put in at once (<see cref="Observe"/>), so that it never decides on a state older than its own writes.
/// </summary>
internal sealed partial class ObjectCache(ResourceId resource, IClusterApi api, TimeProvider clock, ILogger logger)
{
    private static readonly TimeSpan RelistDelay = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private readonly Dictionary<ObjectKey, JsonObject> _objects = [];
    private readonly Dictionary<string, long> _deleted = new(StringComparer.Ordinal);
    private readonly ObjectIndex _namespaces = new(o => [o.Namespace]);
    private readonly Dictionary<string, ObjectIndex> _indexes = new(StringComparer.Ordinal);
    private long _seen;
    private TaskCompletionSource _progress = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ResourceId Resource { get; } = resource;

    /// <summary>Everything up to this version of the cluster has been taken in.</summary>
    public long SeenVersion
    {
        get
        {
            lock (_gate) return _seen;
        }
    }

    /// <summary>Completes when <see cref="SeenVersion"/> has reached a version.</summary>
    public async Task SeenAsync(long version, CancellationToken ct)
    {
        while (true)
        {
            Task progress;
            lock (_gate)
            {
                if (_seen >= version) return;
                progress = _progress.Task;
            }

            await progress.WaitAsync(ct);
        }
    }

    /// <summary>Completes when the first list is in.</summary>
    public Task Synced => _synced.Task;

    /// <summary>Raised under the cache's lock, in order; handlers only note keys.</summary>
    public event Action<ObjectChange>? Changed;

    public JsonObject? Get(ObjectKey key)
    {
        lock (_gate) return _objects.GetValueOrDefault(key);
    }

    public IReadOnlyList<JsonObject> All()
    {
        lock (_gate) return [.. _objects.Values];
    }

    public IReadOnlyList<JsonObject> In(string @namespace)
    {
        lock (_gate) return _namespaces.Find(@namespace);
    }

    public IReadOnlyList<JsonObject> ByIndex(string index, string value)
    {
        lock (_gate) return _indexes[index].Find(value);
    }

    /// <summary>Adds an index over the values that <paramref name="valuesOf"/> gives for an object.</summary>
    public ObjectCache WithIndex(string name, Func<JsonObject, IEnumerable<string>> valuesOf)
    {
        lock (_gate)
        {
            if (_indexes.ContainsKey(name)) return this;
            var index = _indexes[name] = new ObjectIndex(valuesOf);
            foreach (var o in _objects.Values) index.Update(new(null, o));
            return this;
        }
    }

    /// <summary>Calls the handler for every object there is, as an addition, and from then on for every change.</summary>
    public void Subscribe(Action<ObjectChange> handler)
    {
        lock (_gate)
        {
            foreach (var o in _objects.Values) handler(new(null, o));
            Changed += handler;
        }
    }

    /// <summary>Takes in an object read or written elsewhere, unless a newer version is known.</summary>
    public void Observe(JsonObject o)
    {
        lock (_gate)
        {
            var before = _objects.GetValueOrDefault(o.Key);
            if (_deleted.ContainsKey(o.Uid) || (before is not null && Version(before) >= Version(o))) return;
            _objects[o.Key] = o;
            Publish(new(before, o));
        }
    }

    /// <summary>Takes out an object that is known to be gone.</summary>
    public void Forget(ObjectKey key, string uid)
    {
        lock (_gate)
        {
            if (!_objects.TryGetValue(key, out var before) || before.Uid != uid) return;
            _objects.Remove(key);
            _deleted[uid] = Version(before);   // a watch event from before the deletion must not bring it back
            Publish(new(before, null));
        }
    }

    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                var version = await ListAsync(ct);
                await foreach (var e in api.WatchAsync(Resource, null, version, ListQuery.All, ct)) Apply(e);
            }
            catch (ApiException e) when (e.Code == 410)
            {
                Log.Expired(logger, Resource.Plural);
            }
            catch (ApiException e) when (e.Code == 404)
            {
                ForgetAll();   // the kind is not served any more: its CRD is gone
            }
            catch (ApiException e)
            {
                Log.Refused(logger, Resource.Plural, e.Message);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }

            await Task.Delay(RelistDelay, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void ForgetAll()
    {
        lock (_gate)
        {
            foreach (var (key, o) in _objects.ToList()) Forget(key, o.Uid);
        }
    }

    private async Task<string?> ListAsync(CancellationToken ct)
    {
        var list = await api.ListAsync(Resource, null, ListQuery.All, ct);
        var items = list.Objects("items").ToList();
        lock (_gate)
        {
            _deleted.Clear();   // the watch goes on from this list, so nothing older can arrive
            var keys = items.Select(o => o.Key).ToHashSet();
            foreach (var gone in _objects.Where(entry => !keys.Contains(entry.Key)).ToList()) Forget(gone.Key, gone.Value.Uid);
        }

        foreach (var item in items) Observe(WithKind(item, list));
        Saw(VersionOf(list.Text("metadata", "resourceVersion")));
        _synced.TrySetResult();
        return list.Text("metadata", "resourceVersion");
    }

    // List items come without their kind and version; everything in the cache has them.
    private static JsonObject WithKind(JsonObject item, JsonObject list)
    {
        item["kind"] ??= list.Text("kind")?[..^"List".Length];
        item["apiVersion"] ??= list.Text("apiVersion");
        return item;
    }

    private void Apply(WatchEvent e)
    {
        switch (e.Type)
        {
            case "ADDED" or "MODIFIED":
                Observe(e.Object);
                break;
            case "DELETED":
                lock (_gate)
                {
                    Forget(e.Object.Key, e.Object.Uid);
                    _deleted.Remove(e.Object.Uid);
                }

                break;
            case "ERROR":
                throw new ApiException((int)(e.Object.Number("code") ?? 500), e.Object);
        }

        Saw(Version(e.Object));
    }

    private void Saw(long version)
    {
        lock (_gate)
        {
            _seen = Math.Max(_seen, version);
            _progress.SetResult();
            _progress = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private void Publish(ObjectChange change)
    {
        _namespaces.Update(change);
        foreach (var index in _indexes.Values) index.Update(change);
        Changed?.Invoke(change);
    }

    private static long Version(JsonObject o) => VersionOf(o.ResourceVersion);

    private static long VersionOf(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0;

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Debug, "The watch of {Resource} expired; listing again")]
        public static partial void Expired(ILogger logger, string resource);

        [LoggerMessage(4003, LogLevel.Warning, "Reading {Resource} was refused and will be tried again: {Refusal}")]
        public static partial void Refused(ILogger logger, string resource, string refusal);
    }
}
