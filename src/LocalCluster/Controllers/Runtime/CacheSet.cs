using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>The caches of one process: one a resource, shared by everybody who reads it. One asked for after the start is filled then.</summary>
internal sealed class CacheSet(IClusterApi api, TimeProvider clock, ILoggerFactory loggers)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ResourceId, ObjectCache> _caches = [];
    private readonly List<Task> _running = [];
    private CancellationToken? _stopping;

    public IReadOnlyList<ObjectCache> All
    {
        get
        {
            lock (_gate) return [.. _caches.Values];
        }
    }

    public ObjectCache Of(ResourceId resource)
    {
        lock (_gate)
        {
            if (_caches.TryGetValue(resource, out var cache)) return cache;
            cache = _caches[resource] = new ObjectCache(resource, api, clock, loggers.CreateLogger<ObjectCache>());
            if (_stopping is { } stopping) _running.Add(cache.RunAsync(stopping));
            return cache;
        }
    }

    /// <summary>The cache if somebody asked for one.</summary>
    public ObjectCache? Find(ResourceId resource)
    {
        lock (_gate) return _caches.GetValueOrDefault(resource);
    }

    public void Start(CancellationToken stopping)
    {
        lock (_gate)
        {
            _stopping = stopping;
            _running.AddRange(_caches.Values.Select(cache => cache.RunAsync(stopping)));
        }
    }

    public Task SyncedAsync(CancellationToken ct) => Task.WhenAll(All.Select(cache => cache.Synced)).WaitAsync(ct);

    public Task StoppedAsync()
    {
        lock (_gate) return Task.WhenAll(_running);
    }
}
