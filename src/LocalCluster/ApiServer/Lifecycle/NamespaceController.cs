using Opt.LocalCluster.ApiServer.CustomResources;
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
        while (true)
        {
            var more = context.Store.Read("/namespaces", context.Store.Revision).More;
            var waiting = false;
            foreach (var item in context.Store.List("/namespaces", null).Objects.Where(n => n.Field("status.phase") == "Terminating")) waiting |= !await EmptyAsync(item, ct);
            if (!waiting) await more.WaitAsync(ct);
            else await Task.WhenAny(more, Task.Delay(Retry, context.Clock, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    // True when the namespace is gone.
    private async Task<bool> EmptyAsync(StoredObject item, CancellationToken ct)
    {
        try
        {
            foreach (var kind in Contents(item.Name))
            {
                await Deleter.DeleteCollectionAsync(context, kind, context.Store.List(kind.StorageKey, item.Name).Objects, new DeleteOptions(Propagation: "Background"), new WriteRequest(NamespaceContents.Controller), ct);
            }

            if (Contents(item.Name).Any()) return false;
            var body = item.ToTree();
            body.Ensure("spec").Remove("finalizers");
            await NamespaceFinalizer.UpdateAsync(context, new Target(Namespaces, null, item.Name, "finalize"), body, new WriteRequest(NamespaceContents.Controller), ct);
            return true;
        }
        catch (ApiException e)
        {
            // Something refuses to be deleted (a webhook, perhaps). Said where the user looks, and tried again.
            await SayAsync(item.Name, e.Message, ct);
            return false;
        }
    }

    private IEnumerable<ResourceKind> Contents(string @namespace) => context.Kinds.All
        .Where(k => k.Namespaced && k.Verbs.Contains("delete") && context.Store.List(k.StorageKey, @namespace).Objects.Count > 0).DistinctBy(k => k.StorageKey);

    private async Task SayAsync(string name, string why, CancellationToken ct)
    {
        if (context.Find(Namespaces, null, name) is not { } stored) return;
        if (stored.ToTree().Items("status", "conditions").Any(c => c.Str("type") == "NamespaceDeletionContentFailure" && c.Str("message") == why)) return;
        await Updater.ChangeAsync(context, new Target(Namespaces, null, name, "status"), current =>
        {
            CrdLifecycle.SetCondition(current.Ensure("status"), "NamespaceDeletionContentFailure", "ContentDeletionFailed", why, context.Clock.GetUtcNow());
            return current;
        }, new WriteRequest(NamespaceContents.Controller), ct);
    }

    private ResourceKind Namespaces => context.Kinds.Find("", "v1", "namespaces")!;
}
