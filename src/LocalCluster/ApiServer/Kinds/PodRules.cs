using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Pods: defaults, the pending status, graceful deletion, and a specification that hardly changes.</summary>
public sealed class PodRules : KindRules
{
    public override bool HasStatus => true;

    public override bool HasGeneration => true;

    public override bool ReturnsDeletedObject => true;

    public override IReadOnlyList<string> SelectableFields =>
        ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName"];

    public override void Default(JsonObject item)
    {
        var spec = item.Ensure("spec");
        PodSpecDefaults.Fill(spec);
        spec.Default("enableServiceLinks", true);
        foreach (var container in PodSpecDefaults.Containers(spec)) Requests(container);
        if (item.Str("status", "podIP") is { Length: > 0 } address && item.Arr("status", "podIPs") is null or { Count: 0 }) item["status"]!["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address });
    }

    public override void PrepareForCreate(JsonObject item, ApiContext context)
    {
        item.Metadata()["generation"] = 1;
        var status = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QosClass.Of(item.Ensure("spec")) };
        if (item.Arr("spec", "schedulingGates") is { Count: > 0 })
        {
            status["conditions"] = new JsonArray(new JsonObject
            {
                ["type"] = "PodScheduled",
                ["status"] = "False",
                ["lastTransitionTime"] = Scalars.Time(context.Clock.GetUtcNow()),
                ["reason"] = "SchedulingGated",
                ["message"] = "Scheduling is blocked due to non-empty scheduling gates",
            });
        }

        item["status"] = status;
    }

    public override void PrepareForStatusUpdate(JsonObject item, JsonObject old)
    {
        base.PrepareForStatusUpdate(item, old);
        Restore(item.Metadata(), old.Metadata(), "ownerReferences");
    }

    public override long? GraceSeconds(JsonObject item, long? asked)
    {
        // Unbound and finished pods have no process to wait for.
        if (string.IsNullOrEmpty(item.Str("spec", "nodeName")) || item.Str("status", "phase") is "Succeeded" or "Failed") return 0;
        var seconds = asked ?? item.Long("spec", "terminationGracePeriodSeconds") ?? 30;
        return seconds < 0 ? 1 : seconds;
    }

    public override void Validate(JsonObject item, List<FieldError> errors) => PodValidation.Spec(item.Obj("spec") ?? [], "spec", errors);

    public override void ValidateUpdate(JsonObject item, JsonObject old, List<FieldError> errors) => PodValidation.Update(item, old, errors);

    public override string Selectable(JsonObject item, string field) => field switch
    {
        "spec.hostNetwork" => item.At("spec", "hostNetwork").Bool() == true ? "true" : "false",
        "status.podIPs" => string.Join(",", item.Items("status", "podIPs").Select(p => p.Str("ip"))),
        _ => base.Selectable(item, field),
    };

    // A limit without a request is a request too.
    private static void Requests(JsonObject container)
    {
        if (container.Obj("resources", "limits") is not { } limits) return;
        var requests = ((JsonObject)container["resources"]!).Ensure("requests");
        foreach (var (name, limit) in limits) requests.Default(name, limit!.DeepClone());
    }
}
