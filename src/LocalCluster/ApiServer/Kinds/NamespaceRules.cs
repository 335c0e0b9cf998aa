using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Lifecycle;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Namespaces: held by the finalizer in their specification until their contents are gone.</summary>
public sealed class NamespaceRules : KindRules
{
    public override bool HasStatus => true;

    public override NameRule NameRule => NameRule.Label;

    public override bool ReturnsDeletedObject => true;

    public override bool MarksGracePeriod => false;

    public override IReadOnlyList<string> SelectableFields => ["name", "status.phase"];

    public override void Default(JsonObject item)
    {
        if (item.Name() is { Length: > 0 } name) item.Metadata().Ensure("labels")["kubernetes.io/metadata.name"] = name;
    }

    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        item["spec"] = new JsonObject { ["finalizers"] = new JsonArray("kubernetes") };
        item["status"] = new JsonObject { ["phase"] = "Active" };
    }

    public override Task AfterWriteAsync(JsonObject item, ApiContext context, CancellationToken ct) =>
        item.IsDeleting() ? Task.CompletedTask : NamespaceContents.AddAsync(context, item.Name(), ct);

    public override void PrepareForUpdate(JsonObject item, JsonObject old)
    {
        Restore(item, old, "spec");
        Restore(item, old, "status");
    }

    public override void MarkDeleting(JsonObject item, ApiContext context) => item.Ensure("status")["phase"] = "Terminating";

    public override string Selectable(JsonObject item, string field) => field == "name" ? item.Name() : base.Selectable(item, field);
}
