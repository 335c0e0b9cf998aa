using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Admission;
using Opt.LocalCluster.ApiServer.Apply;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>Every change of an existing object: PUT, the patches, and server-side apply, on the object or its status.</summary>
public static class Updater
{
    /// <summary>Makes the new state from the present one. It must not keep or edit its argument.</summary>
    public delegate JsonObject Change(JsonObject current);

    public static async Task<JsonObject> UpdateAsync(ApiContext context, Target target, JsonNode? body, WriteRequest request, CancellationToken ct)
    {
        var item = BodyDecoder.Decode(target.Kind, body, request);
        BodyDecoder.CheckNamespace(target.Kind, item, target.Namespace);
        var meta = item.Metadata();
        if (string.IsNullOrEmpty(meta["name"].Str())) meta["name"] = target.Name;
        if (item.Name() != target.Name) throw ApiErrors.BadRequest($"the name of the object ({item.Name()}) does not match the name on the URL ({target.Name})");
        if (context.Find(target.Kind, target.Namespace, target.Name) is null && target.Kind.Rules.CreatesOnUpdate && target.Subresource is null)
        {
            ManagedFields.RecordUpdate(target.Kind, null, item, request.Caller.FieldManager, null, context.Clock);
            return await Creator.CreateDecodedAsync(context, target.Kind, target.Namespace, item, request, ct);
        }

        return await ChangeAsync(context, target, _ => item.Copy(), request, ct);
    }

    /// <summary>Read, change, check, write; again when someone else wrote in between and the caller did not insist on a version.</summary>
    public static async Task<JsonObject> ChangeAsync(ApiContext context, Target target, Change change, WriteRequest request, CancellationToken ct)
    {
        while (true)
        {
            var stored = context.Find(target.Kind, target.Namespace, target.Name) ?? throw ApiErrors.NotFound(target.Kind, target.Name);
            var old = Versions.FromStorage(target.Kind, stored);
            var item = change(old.Copy());
            if (await WriteAsync(context, target, stored, old, item, request, ct) is not { } written) continue;
            if (!request.DryRun) await target.Kind.Rules.AfterWriteAsync(written, context, ct);
            return written;
        }
    }

    private static async Task<JsonObject?> WriteAsync(ApiContext context, Target target, StoredObject stored, JsonObject old, JsonObject item, WriteRequest request, CancellationToken ct)
    {
        var kind = target.Kind;
        if (!target.AppliesOwnership) ManagedFields.RecordUpdate(kind, old, item, request.Caller.FieldManager, target.Subresource, context.Clock);
        var review = new AdmissionReviewRequest(Operation.Update, kind, target.Subresource, target.Namespace ?? "", target.Name, item, old, Creator.OptionsObject("UpdateOptions", request), request);
        await context.Admission.MutateAsync(review, ct);
        item = review.Object!;
        CheckPreconditions(kind, stored, item, target.Name);
        item = Prepare(target, old, item);
        item.Metadata()["resourceVersion"] = old.Str("metadata", "resourceVersion");
        Validate(target, item, old);
        await context.Admission.ValidateAsync(review with { Object = item }, ct);
        return Store(context, target, stored, old, item, request);
    }

    private static void CheckPreconditions(ResourceKind kind, StoredObject stored, JsonObject item, string name)
    {
        var version = item.Str("metadata", "resourceVersion") ?? "";
        if (version is "" or "0")
        {
            if (kind.Rules.AllowsUnconditionalUpdate) return;
            throw ApiErrors.Invalid(kind.Group, kind.Plural, name, [FieldError.Invalid("metadata.resourceVersion", 0, "must be specified for an update")]);
        }

        if (!long.TryParse(version, out var asked)) throw ApiErrors.Invalid(kind.Group, kind.Plural, name, [FieldError.Invalid("metadata.resourceVersion", version, "must be an integer")]);
        if (item.Uid() is { Length: > 0 } uid && uid != stored.Uid) throw ApiErrors.Conflict(kind, name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.Uid}");
        if (asked != stored.ResourceVersion) throw ApiErrors.Modified(kind, name);
    }

    private static JsonObject Prepare(Target target, JsonObject old, JsonObject item)
    {
        var rules = target.Kind.Rules;
        ObjectMeta.FillForUpdate(item, old);
        if (target.Subresource == "status") rules.PrepareForStatusUpdate(item, old);
        else rules.PrepareForUpdate(item, old);
        return Creator.Finish(target.Kind, item);
    }

    private static void Validate(Target target, JsonObject item, JsonObject old)
    {
        var errors = new List<FieldError>();
        ObjectMeta.ValidateUpdate(item, old, errors);
        if (target.Subresource == "status") target.Kind.Rules.ValidateStatusUpdate(item, old, errors);
        else target.Kind.Rules.ValidateUpdate(item, old, errors);
        if (errors.Count > 0) throw ApiErrors.Invalid(target.Kind, target.Name, errors);
    }

    private static JsonObject? Store(ApiContext context, Target target, StoredObject stored, JsonObject old, JsonObject item, WriteRequest request)
    {
        var kind = target.Kind;
        if (ManagedFields.SameButForTimes(item, old)) return old;
        if (request.DryRun) return item;
        var tree = Versions.ToStorage(kind, item);
        var fields = Creator.Fields(kind, item);
        if (Deleter.IsDone(tree))
        {
            var removed = context.Store.TryRemove(kind.StorageKey, stored, tree, fields);
            return removed is null ? null : Versions.FromStorage(kind, removed);
        }

        var written = context.Store.TryReplace(kind.StorageKey, stored, tree, fields);
        return written is null ? null : Versions.FromStorage(kind, written);
    }
}

/// <summary>What a write is aimed at.</summary>
public sealed record Target(ResourceKind Kind, string? Namespace, string Name, string? Subresource = null)
{
    /// <summary>The change itself keeps the books of field ownership (server-side apply).</summary>
    public bool AppliesOwnership { get; init; }
}
