using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>The caches of one process: one a resource, shared by everybody who reads it.</summary>
internal sealed class CacheSet(IClusterApi api, TimeProvider clock, ILoggerFactory loggers)
{
    private readonly ConcurrentDictionary<ResourceId, ObjectCache> _caches = new();

    public IEnumerable<ObjectCache> All => _caches.Values;

    public ObjectCache Of(ResourceId resource) =>
        _caches.GetOrAdd(resource, r => new ObjectCache(r, api, clock, loggers.CreateLogger<ObjectCache>()));

    /// <summary>The cache if somebody asked for one.</summary>
    public ObjectCache? Find(ResourceId resource) => _caches.GetValueOrDefault(resource);
}
