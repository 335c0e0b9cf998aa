using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Nodes: their status may be set at creation, and is apart from then on.</summary>
public sealed class NodeRules : KindRules
{
    public override bool HasStatus => true;

    public override IReadOnlyList<string> SelectableFields => ["spec.unschedulable"];

    public override void Default(JsonObject item)
    {
        if (item.Obj("status") is not { } status || status["capacity"] is not JsonObject capacity) return;
        var allocatable = status.Ensure("allocatable");
        foreach (var (name, amount) in capacity) allocatable.Default(name, amount!.DeepClone());
    }

    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        // A node is born not ready; the node controller lifts the taint once it has seen it Ready.
        var spec = item.Ensure("spec");
        var taints = spec["taints"] as JsonArray ?? [];
        if (!taints.Any(t => t.Str("key") == "node.kubernetes.io/not-ready")) taints.Add(new JsonObject { ["key"] = "node.kubernetes.io/not-ready", ["effect"] = "NoSchedule" });
        spec["taints"] = taints;
    }

    public override IReadOnlyList<string> ResetFields(string? subresource) => subresource == "status" ? ["spec"] : ["status"];

    public override string Selectable(JsonObject item, string field) => item.At("spec", "unschedulable").Bool() == true ? "true" : "false";
}
