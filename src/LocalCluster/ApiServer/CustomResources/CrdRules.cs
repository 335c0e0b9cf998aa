using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.CustomResources;

/// <summary>Custom resource definitions themselves.</summary>
public sealed class CrdRules : SpecStatusRules
{
    public const string CleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

    public override bool MarksGracePeriod => false;

    public override bool ReturnsDeletedObject => true;

    public override void Default(JsonObject item)
    {
        var spec = item.Ensure("spec");
        var names = spec.Ensure("names");
        if (string.IsNullOrEmpty(names.Str("singular"))) names["singular"] = (names.Str("kind") ?? "").ToLowerInvariant();
        if (string.IsNullOrEmpty(names.Str("listKind")) && names.Str("kind") is { Length: > 0 } kind) names["listKind"] = kind + "List";
        var conversion = spec.Ensure("conversion");
        if (string.IsNullOrEmpty(conversion.Str("strategy"))) conversion["strategy"] = "None";
    }

    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        base.PrepareForCreate(item, context);
        item["status"] = new JsonObject { ["storedVersions"] = StoredVersions(item, []) };
    }

    public override void PrepareForUpdate(JsonObject item, JsonObject old)
    {
        base.PrepareForUpdate(item, old);
        item.Ensure("status")["storedVersions"] = StoredVersions(item, old.At("status").Strings("storedVersions"));
    }

    public override void Validate(JsonObject item, List<FieldError> errors) => CrdValidation.Validate(item, errors);

    public override void MarkDeleting(JsonObject item, ApiContext context)
    {
        var meta = item.Metadata();
        var finalizers = meta["finalizers"] as JsonArray ?? [];
        if (!meta.Strings("finalizers").Contains(CleanupFinalizer)) finalizers.Add(CleanupFinalizer);
        meta["finalizers"] = finalizers;
        CrdLifecycle.SetCondition(item.Ensure("status"), "Terminating", "InstanceDeletionPending", "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon", context.Clock.GetUtcNow());
    }

    public override bool WaitsForCleanup => true;

    public override Task AfterWriteAsync(JsonObject item, ApiContext context, CancellationToken ct) => CrdLifecycle.AdvanceAsync(context, item, ct);

    private static JsonArray StoredVersions(JsonObject item, IReadOnlyList<string> before)
    {
        var stored = item.Items("spec", "versions").Where(v => v["storage"].Bool() == true).Select(v => v.Str("name")!);
        return new JsonArray([.. before.Union(stored).Select(v => JsonValue.Create(v))]);
    }
}
