using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

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
        var stored = item.Items("spec", "versions").Where(v => v["storage"].Bool() == true).Select(v => JsonValue.Create(v.Str("name")));
        item["status"] = new JsonObject { ["storedVersions"] = new JsonArray([.. stored]) };
    }
}
