using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Admission;
using Opt.LocalCluster.ApiServer.Apply;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>POST of a new object: decode, own, mutate, fill, validate, store.</summary>
public static class Creator
{
    public static async Task<JsonObject> CreateAsync(ApiContext context, ResourceKind kind, string? @namespace, JsonNode? body, WriteRequest request, CancellationToken ct)
    {
        var item = BodyDecoder.Decode(kind, body, request);
        BodyDecoder.CheckNamespace(kind, item, @namespace);
        ManagedFields.Strip(item);
        ManagedFields.RecordUpdate(kind, null, item, request.Caller.FieldManager, null, context.Clock);
        return await CreateDecodedAsync(context, kind, @namespace, item, request, ct);
    }

    /// <summary>The rest of a creation once the object is decoded and its fields are owned; server-side apply enters here.</summary>
    internal static async Task<JsonObject> CreateDecodedAsync(ApiContext context, ResourceKind kind, string? @namespace, JsonObject item, WriteRequest request, CancellationToken ct)
    {
        var review = new AdmissionReviewRequest(Operation.Create, kind, null, @namespace ?? "", item.Name(), item, null, OptionsObject("CreateOptions", request), request);
        await context.Admission.MutateAsync(review, ct);
        item = review.Object!;
        if (item.Str("metadata", "resourceVersion") is { Length: > 0 }) throw ApiErrors.BadRequest("resourceVersion should not be set on objects to be created");
        ObjectMeta.FillForCreate(item, context);
        kind.Rules.PrepareForCreate(item, context);
        item = Finish(kind, item);
        Validate(kind, item);
        foreach (var warning in kind.Rules.Warnings(item)) request.Warn(warning);
        await context.Admission.ValidateAsync(review with { Name = item.Name(), Object = item }, ct);
        var created = Store(context, kind, item, request);
        if (!request.DryRun) await kind.Rules.AfterWriteAsync(created, context, ct);
        return created;
    }

    /// <summary>The stored form, with the resourceVersion's place kept.</summary>
    internal static JsonObject Finish(ResourceKind kind, JsonObject item)
    {
        item.Metadata()["resourceVersion"] = "0";
        var done = kind.Codec.Canonicalize(item);
        done["kind"] = kind.Kind;
        done["apiVersion"] = kind.ApiVersion;
        return done;
    }

    internal static JsonObject OptionsObject(string kind, WriteRequest request)
    {
        var options = new JsonObject { ["kind"] = kind, ["apiVersion"] = "meta.k8s.io/v1" };
        if (request.DryRun) options["dryRun"] = new JsonArray("All");
        if (request.ExplicitFieldManager is { Length: > 0 } manager) options["fieldManager"] = manager;
        if (request.ExplicitFieldValidation is { } validation) options["fieldValidation"] = validation.ToString();
        return options;
    }

    private static void Validate(ResourceKind kind, JsonObject item)
    {
        var errors = new List<FieldError>();
        ObjectMeta.Validate(item, kind, errors);
        kind.Rules.Validate(item, errors);
        if (errors.Count > 0) throw ApiErrors.Invalid(kind, item.Name(), errors);
    }

    private static JsonObject Store(ApiContext context, ResourceKind kind, JsonObject item, WriteRequest request)
    {
        if (request.DryRun)
        {
            if (context.Find(kind, item.Namespace(), item.Name()) is not null) throw ApiErrors.AlreadyExists(kind, item.Name());
            item.Metadata().Remove("resourceVersion");
            return item;
        }

        var stored = context.Store.TryCreate(kind.StorageKey, Versions.ToStorage(kind, item), Fields(kind, item)) ?? throw ApiErrors.AlreadyExists(kind, item.Name());
        return Versions.FromStorage(kind, stored);
    }

    internal static KeyValuePair<string, string>[] Fields(ResourceKind kind, JsonObject item) =>
        [.. kind.Rules.SelectableFields.Select(f => KeyValuePair.Create(f, kind.Rules.Selectable(item, f)))];
}
