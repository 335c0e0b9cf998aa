using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>POST pods/NAME/binding: the scheduler's word that a pod runs on a node. Said once.</summary>
public static class Binding
{
    public static JsonObject Bind(ApiContext context, ResourceKind pods, string @namespace, string name, JsonObject body, WriteRequest request)
    {
        var node = body.Str("target", "name") ?? "";
        if (node.Length == 0) throw ApiErrors.Invalid("", "Binding", name, [FieldError.Required("target.name")]);
        if (body.Str("target", "kind") is { Length: > 0 } kind && kind != "Node") throw ApiErrors.Invalid("", "Binding", name, [FieldError.NotSupported("target.kind", kind, ["Node", "<empty>"])]);
        while (true)
        {
            var stored = context.Find(pods, @namespace, name) ?? throw ApiErrors.NotFound(pods, name);
            var pod = stored.ToTree();
            if (body.Uid() is { Length: > 0 } uid && uid != pod.Uid()) throw Refused(name, $"Precondition failed: UID in precondition: {uid}, UID in object meta: {pod.Uid()}");
            Assign(context, pod, body, name, node);
            var item = Creator.Finish(pods, pod);
            if (request.DryRun || context.Store.TryReplace(pods.StorageKey, stored, item, Creator.Fields(pods, item)) is not null) return Done();
        }
    }

    internal static JsonObject Done() =>
        new() { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["code"] = 201 };

    private static void Assign(ApiContext context, JsonObject pod, JsonObject body, string name, string node)
    {
        if (pod.IsDeleting()) throw Refused(name, $"pod {name} is being deleted, cannot be assigned to a host");
        var spec = pod.Ensure("spec");
        if (spec.Str("nodeName") is { Length: > 0 } there) throw Refused(name, $"pod {name} is already assigned to node \"{there}\"");
        if (spec.Arr("schedulingGates") is { Count: > 0 }) throw Refused(name, $"pod {name} has non-empty .spec.schedulingGates");
        spec["nodeName"] = node;
        foreach (var (key, value) in body.Obj("metadata", "annotations") ?? []) pod.Metadata().Ensure("annotations")[key] = value?.DeepClone();
        var conditions = pod.Ensure("status")["conditions"] as JsonArray ?? [];
        if (conditions.FirstOrDefault(c => c.Str("type") == "PodScheduled") is { } old) conditions.Remove(old);
        conditions.Add(new JsonObject { ["type"] = "PodScheduled", ["status"] = "True", ["lastTransitionTime"] = Scalars.Time(context.Clock.GetUtcNow()) });
        pod["status"]!["conditions"] = conditions;
    }

    private static ApiException Refused(string name, string why) => ApiErrors.Error(
        409, "Conflict", $"Operation cannot be fulfilled on pods/binding \"{name}\": {why}", new JsonObject { ["name"] = name, ["kind"] = "pods/binding" });
}
