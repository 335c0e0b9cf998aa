using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.LocalCluster.Controllers.Runtime;

namespace Opt.LocalCluster;

/// <summary>Tells when a cluster has come to rest at the present time.</summary>
internal sealed class Settling(EmbeddedApiServer server, ControllerContext context)
{
    public async Task IdleAsync(CancellationToken ct)
    {
        var calm = 0;
        var finished = -1L;
        while (calm < 2)
        {
            ct.ThrowIfCancellationRequested();
            await context.Activity.WhenQuietAsync(ct);
            if (!EveryCacheIsCurrent()) calm = 0;
            else if (context.Activity.Finished != finished || !context.Activity.IsQuiet) (calm, finished) = (0, context.Activity.Finished);
            else calm++;
            await Task.Yield();
        }
    }

    private bool EveryCacheIsCurrent() => context.Caches.All.All(IsCurrent);

    private bool IsCurrent(ObjectCache cache)
    {
        if (!cache.Synced.IsCompleted) return false;
        if (server.Context.Kinds.Find(cache.Resource) is not { } kind) return true;
        try
        {
            return server.Context.Store.Read(kind.StorageKey, cache.SeenVersion).Events.Length == 0;
        }
        catch (CompactedException)
        {
            return false;   // it has fallen far behind and will list again
        }
    }
}
