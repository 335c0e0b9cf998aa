using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Admission;
using Opt.LocalCluster.ApiServer.Apply;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>
/// DELETE. An object with finalizers, or one that deletion treats gracefully, is only marked; it goes when the last finalizer is removed or the
/// grace period is set to 0.
/// </summary>
public static class Deleter
{
    private const string Orphan = "orphan";
    private const string Foreground = "foregroundDeletion";

    /// <summary>Returns the object when it was only marked, or a success <c>Status</c> when it is gone.</summary>
    public static async Task<JsonObject> DeleteAsync(ApiContext context, Target target, DeleteOptions options, WriteRequest request, CancellationToken ct)
    {
        var kind = target.Kind;
        while (true)
        {
            var stored = context.Find(kind, target.Namespace, target.Name) ?? throw ApiErrors.NotFound(kind, target.Name);
            var old = Versions.FromStorage(kind, stored);
            CheckPreconditions(kind, stored, options);
            await ReviewAsync(context, target, old, options, request, ct);
            var item = old.Copy();
            var gone = Mark(context, kind, item, options);
            item = Creator.Finish(kind, item);
            item.Metadata()["resourceVersion"] = old.Str("metadata", "resourceVersion");
            if (gone)
            {
                if (request.DryRun) return kind.Rules.ReturnsDeletedObject ? item : Success(kind, stored);
                if (context.Store.TryRemove(kind.StorageKey, stored, Versions.ToStorage(kind, item), Creator.Fields(kind, item)) is not { } removed) continue;
                return kind.Rules.ReturnsDeletedObject ? Versions.FromStorage(kind, removed) : Success(kind, stored);
            }

            if (request.DryRun || item.SameAs(old)) return item;
            if (context.Store.TryReplace(kind.StorageKey, stored, Versions.ToStorage(kind, item), Creator.Fields(kind, item)) is not { } written) continue;
            var marked = Versions.FromStorage(kind, written);
            await kind.Rules.AfterWriteAsync(marked, context, ct);
            return marked;
        }
    }

    /// <summary>Deletes everything selected, one by one; returns what was there as a list.</summary>
    public static async Task<IReadOnlyList<JsonObject>> DeleteCollectionAsync(
        ApiContext context, ResourceKind kind, IEnumerable<StoredObject> selected, DeleteOptions options, WriteRequest request, CancellationToken ct)
    {
        var deleted = new List<JsonObject>();
        foreach (var one in selected)
        {
            try
            {
                await DeleteAsync(context, new Target(kind, one.Namespace, one.Name), options, request, ct);
                deleted.Add(Versions.FromStorage(kind, one));
            }
            catch (ApiException e) when (e.Code == 404)
            {
                // Someone else deleted it first: it is gone, which is what was asked.
            }
        }

        return deleted;
    }

    /// <summary>Marked, nothing left to wait for: the object leaves the store.</summary>
    public static bool IsDone(JsonObject item) =>
        item.IsDeleting() && (item.Arr("metadata", "finalizers")?.Count ?? 0) == 0 && (item.Long("metadata", "deletionGracePeriodSeconds") ?? 0) == 0
        && (item.Arr("spec", "finalizers")?.Count ?? 0) == 0;

    private static void CheckPreconditions(ResourceKind kind, StoredObject stored, DeleteOptions options)
    {
        if (options.Uid is { } uid && uid != stored.Uid)
        {
            throw ApiErrors.ConflictOn(kind, stored.Name, $"the UID in the precondition ({uid}) does not match the UID in record ({stored.Uid}). The object might have been deleted and then recreated");
        }

        if (options.ResourceVersion is { } version && version != stored.ResourceVersion.ToString(System.Globalization.CultureInfo.InvariantCulture))
        {
            throw ApiErrors.ConflictOn(kind, stored.Name, $"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({stored.ResourceVersion}). The object might have been modified");
        }
    }

    private static async Task ReviewAsync(ApiContext context, Target target, JsonObject old, DeleteOptions options, WriteRequest request, CancellationToken ct)
    {
        var review = new AdmissionReviewRequest(Operation.Delete, target.Kind, null, target.Namespace ?? "", target.Name, null, old, options.ToReview(request), request);
        await context.Admission.MutateAsync(review, ct);
        await context.Admission.ValidateAsync(review, ct);
    }

    /// <summary>Sets finalizers and deletion marks as asked; true when nothing holds the object and it can go at once.</summary>
    private static bool Mark(ApiContext context, ResourceKind kind, JsonObject item, DeleteOptions options)
    {
        var meta = item.Metadata();
        Finalizers(kind, meta, options);
        var held = kind.Rules.WaitsForCleanup || meta.Arr("finalizers") is { Count: > 0 } || item.Arr("spec", "finalizers") is { Count: > 0 };
        var grace = kind.Rules.GraceSeconds(item, options.GraceSeconds);
        if (item.IsDeleting()) return Shorten(meta, grace, options) && !held;
        if (!held && grace is null) return true;   // not a kind that is deleted gracefully: it just goes
        if (kind.Rules.MarksGracePeriod && meta["generation"].Long() is > 0 and var generation) meta["generation"] = generation + 1;
        meta["deletionTimestamp"] = Scalars.Time(context.Clock.GetUtcNow().AddSeconds(grace ?? 0));
        kind.Rules.MarkDeleting(item, context);
        if (kind.Rules.MarksGracePeriod) meta["deletionGracePeriodSeconds"] = grace ?? 0;
        return !held && grace == 0;
    }

    // A second deletion may only shorten the grace that is left, counted from when the first one was asked for.
    private static bool Shorten(JsonObject meta, long? grace, DeleteOptions options)
    {
        var left = meta["deletionGracePeriodSeconds"].Long() ?? 0;
        if (grace is { } shorter && options.GraceSeconds is not null && shorter < left && Scalars.TryTime(meta["deletionTimestamp"].Str(), out var ends))
        {
            meta["deletionTimestamp"] = Scalars.Time(ends.AddSeconds(shorter - left));
            meta["deletionGracePeriodSeconds"] = left = shorter;
        }

        return left == 0;
    }

    private static void Finalizers(ResourceKind kind, JsonObject meta, DeleteOptions options)
    {
        var finalizers = meta.Strings("finalizers").Where(f => f is not (Orphan or Foreground)).ToList();
        var kept = meta.Strings("finalizers");
        var wanted = options.Propagation switch
        {
            "Orphan" => Orphan,
            "Foreground" => Foreground,
            "Background" => null,
            _ => kept.FirstOrDefault(f => f is Orphan or Foreground) ?? kind.Rules.DefaultDeletionFinalizer,
        };
        if (wanted is not null) finalizers.Add(wanted);
        if (finalizers.Count == 0) meta.Remove("finalizers");
        else meta["finalizers"] = new JsonArray([.. finalizers.Select(f => JsonValue.Create(f))]);
    }

    private static JsonObject Success(ResourceKind kind, StoredObject stored)
    {
        var details = new JsonObject { ["name"] = stored.Name };
        if (kind.Group.Length > 0) details["group"] = kind.Group;
        details["kind"] = kind.Plural;
        details["uid"] = stored.Uid;
        return new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["details"] = details };
    }
}
