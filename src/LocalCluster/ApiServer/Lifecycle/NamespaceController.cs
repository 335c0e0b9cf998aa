using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Storage;
using Opt.LocalCluster.ApiServer.Subresources;

namespace Opt.LocalCluster.ApiServer.Lifecycle;

/// <summary>Empties namespaces that are being deleted, then lets them go.</summary>
public sealed class NamespaceController(ApiContext context)
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var revision = 0L;
        while (true)
        {
            var waiting = false;
            foreach (var item in context.Store.List("/namespaces", null).Objects.Where(n => n.Field("status.phase") == "Terminating")) waiting |= !await EmptyAsync(item, ct);
            var (_, now, more) = Read(revision);
            revision = now;
            if (!waiting) await more.WaitAsync(ct);
            else await Task.WhenAny(more, Task.Delay(Retry, context.Clock, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private (StoreEvent[] Events, long Revision, Task More) Read(long revision)
    {
        try
        {
            return context.Store.Read("/namespaces", revision);
        }
        catch (CompactedException)
        {
            return context.Store.Read("/namespaces", context.Store.Revision);
        }
    }

    // True when the namespace is gone.
    private async Task<bool> EmptyAsync(StoredObject item, CancellationToken ct)
    {
        var left = false;
        foreach (var kind in context.Kinds.All.Where(k => k.Namespaced && k.Verbs.Contains("delete")).DistinctBy(k => k.StorageKey))
        {
            var contents = context.Store.List(kind.StorageKey, item.Name).Objects;
            if (contents.Count == 0) continue;
            await Deleter.DeleteCollectionAsync(context, kind, contents, new DeleteOptions(Propagation: "Background"), new WriteRequest(NamespaceContents.Controller), ct);
            left |= context.Store.List(kind.StorageKey, item.Name).Objects.Count > 0;
        }

        if (left) return false;
        var namespaces = context.Kinds.Find("", "v1", "namespaces")!;
        var body = item.ToTree();
        body.Ensure("spec").Remove("finalizers");
        await NamespaceFinalizer.UpdateAsync(context, new Target(namespaces, null, item.Name, "finalize"), body, new WriteRequest(NamespaceContents.Controller), ct);
        return true;
    }
}
