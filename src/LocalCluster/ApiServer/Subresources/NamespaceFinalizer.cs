using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>PUT namespaces/NAME/finalize: the only way to change what holds a namespace.</summary>
public static class NamespaceFinalizer
{
    public static Task<JsonObject> UpdateAsync(ApiContext context, Target target, JsonObject body, WriteRequest request, CancellationToken ct)
    {
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            var stored = context.Find(target.Kind, null, target.Name) ?? throw ApiErrors.NotFound(target.Kind, target.Name);
            var item = stored.ToTree();
            if (body.Arr("spec", "finalizers") is { Count: > 0 } finalizers) item.Ensure("spec")["finalizers"] = finalizers.DeepClone();
            else item.Ensure("spec").Remove("finalizers");
            item = Creator.Finish(target.Kind, item);
            if (request.DryRun) return Task.FromResult(item);
            var fields = Creator.Fields(target.Kind, item);
            var written = Deleter.IsDone(item)
                ? context.Store.TryRemove(target.Kind.StorageKey, stored, item, fields)
                : context.Store.TryReplace(target.Kind.StorageKey, stored, item, fields);
            if (written is not null) return Task.FromResult(written.ToTree());
        }
    }
}
