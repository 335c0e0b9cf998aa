using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.NodeLifecycle;

/// <summary>Turns silence into conditions: after the grace period every condition of the node becomes Unknown.</summary>
internal static class NodeMonitor
{
    private static readonly string[] Watched = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

    /// <summary>The status to write, or null when nothing changes.</summary>
    public static JsonObject? Decide(JsonObject node, NodeHealth health, TimeSpan grace, DateTimeOffset now)
    {
        if (now - health.SeenAt <= grace) return null;
        var status = (node["status"] as JsonObject)?.Copy() ?? [];
        if (status["conditions"] is not JsonArray conditions) status["conditions"] = conditions = [];
        var changed = false;
        foreach (var type in Watched) changed |= MakeUnknown(conditions, type, node, now);
        return changed ? status : null;
    }

    private static bool MakeUnknown(JsonArray conditions, string type, JsonObject node, DateTimeOffset now)
    {
        var condition = conditions.OfType<JsonObject>().FirstOrDefault(c => c.Text("type") == type);
        if (condition is null)
        {
            conditions.Add((JsonNode)new JsonObject
            {
                ["type"] = type, ["status"] = "Unknown",
                ["lastHeartbeatTime"] = (node.CreationTime ?? now).ToKubernetesTime(), ["lastTransitionTime"] = now.ToKubernetesTime(),
                ["reason"] = "NodeStatusNeverUpdated", ["message"] = "Kubelet never posted node status.",
            });
            return true;
        }

        if (condition.Text("status") == "Unknown") return false;
        condition["status"] = "Unknown";
        condition["reason"] = "NodeStatusUnknown";
        condition["message"] = "Kubelet stopped posting node status.";
        condition["lastTransitionTime"] = now.ToKubernetesTime();
        return true;
    }
}
