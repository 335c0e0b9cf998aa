using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.LocalCluster.Controllers.Runtime;

namespace Opt.LocalCluster;

/// <summary>Tells when a cluster has come to rest at the present time.</summary>
internal sealed class Settling(EmbeddedApiServer server, ControllerContext context)
{
    public async Task IdleAsync(CancellationToken ct)
    {
        var finished = -1L;
        while (true)
        {
            await context.Activity.WhenQuietAsync(ct);
            foreach (var cache in context.Caches.All) await CatchUpAsync(cache, ct);

            // Quiet now, with nothing done since the last look, and every cache current: nothing can start any more.
            if (context.Activity.IsQuiet && context.Activity.Finished == finished) return;
            finished = context.Activity.Finished;
        }
    }

    private async Task CatchUpAsync(ObjectCache cache, CancellationToken ct)
    {
        if (server.Context.Kinds.Find(cache.Resource) is not { } kind) return;
        await cache.Synced.WaitAsync(ct);
        while (Missing(kind, cache) is { } version) await cache.SeenAsync(version, ct);
    }

    private long? Missing(ResourceKind kind, ObjectCache cache)
    {
        try
        {
            return server.Context.Store.Read(kind.StorageKey, cache.SeenVersion).Events is [.., var newest] ? newest.ResourceVersion : null;
        }
        catch (CompactedException)
        {
            return server.Context.Store.Revision;   // it has fallen far behind and will list again
        }
    }
}
