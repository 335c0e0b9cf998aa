using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers;

/// <summary>The condition that says a pod is being removed by the control plane, and why.</summary>
internal static class DisruptionTarget
{
    public static Act Mark(JsonObject pod, string reason, string message, DateTimeOffset now, string? phase = null)
    {
        var status = new JsonObject
        {
            ["conditions"] = new JsonArray(new JsonObject
            {
                ["type"] = "DisruptionTarget", ["observedGeneration"] = pod.Generation, ["status"] = "True", ["lastProbeTime"] = null,
                ["lastTransitionTime"] = now.ToKubernetesTime(), ["reason"] = reason, ["message"] = message,
            }),
        };
        // The new condition goes behind those that are there, as an update of the whole status would put it.
        var order = pod.Objects("status", "conditions").Select(c => (string)c["type"]!).Where(type => type != "DisruptionTarget").Append("DisruptionTarget");
        status["$setElementOrder/conditions"] = new JsonArray([.. order.Select(type => new JsonObject { ["type"] = type })]);
        if (phase is not null) status["phase"] = phase;
        return new Act.Patch(Kinds.Pods, pod, PatchKind.StrategicMerge, new JsonObject { ["status"] = status }, "status");
    }
}
