using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>The status of a Deployment, from the status of its ReplicaSets. <c>kubectl rollout status</c> and Helm's wait read it.</summary>
internal static class DeploymentStatus
{
    public static IEnumerable<Act> Decide(JsonObject deployment, JsonObject? current, IReadOnlyList<JsonObject> sets, DateTimeOffset now)
    {
        var wanted = deployment.Number("spec", "replicas") ?? 1;
        long Sum(string field) => sets.Sum(set => set.Number("status", field) ?? 0);
        var (total, available) = (Sum("replicas"), Sum("availableReplicas"));
        var updated = current.Number("status", "replicas") ?? 0;
        var status = new JsonObject { ["observedGeneration"] = deployment.Generation };
        Add(status, "replicas", total);
        Add(status, "updatedReplicas", updated);
        Add(status, "readyReplicas", Sum("readyReplicas"));
        Add(status, "availableReplicas", available);
        Add(status, "unavailableReplicas", Math.Max(0, Math.Max(total, wanted) - available));
        if (deployment.At("status", "collisionCount") is { } collisions) status["collisionCount"] = collisions.DeepClone();

        var unavailable = Percentage.Of(deployment.At("spec", "strategy", "rollingUpdate", "maxUnavailable"), (int)wanted, roundUp: false) ?? 0;
        var enough = available >= wanted - unavailable;
        var complete = updated == wanted && total == wanted && available == wanted;
        status["conditions"] = new JsonArray(
            enough
                ? Make(deployment, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
                : Make(deployment, "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now),
            Progressing(deployment, current, complete, now));
        if (!JsonNode.DeepEquals(status, deployment["status"])) yield return Act.ReplaceStatus(Kinds.Deployments, deployment, status);
    }

    private static JsonObject Progressing(JsonObject deployment, JsonObject? current, bool complete, DateTimeOffset now)
    {
        if (current is null) return Make(deployment, "Progressing", "True", "ReplicaSetUpdated", "Deployment is progressing.", now);
        var name = current.Name;
        return complete
            ? Make(deployment, "Progressing", "True", "NewReplicaSetAvailable", $"ReplicaSet \"{name}\" has successfully progressed.", now)
            : Make(deployment, "Progressing", "True", "ReplicaSetUpdated", $"ReplicaSet \"{name}\" is progressing.", now);
    }

    private static JsonObject Make(JsonObject deployment, string type, string status, string reason, string message, DateTimeOffset now)
    {
        var before = Condition.Find(deployment, type);
        var same = before.Text("status") == status && before.Text("reason") == reason && before.Text("message") == message;
        return new JsonObject
        {
            ["type"] = type, ["status"] = status,
            ["lastUpdateTime"] = same ? before.Text("lastUpdateTime") : now.ToKubernetesTime(),
            ["lastTransitionTime"] = before.Text("status") == status ? before.Text("lastTransitionTime") : now.ToKubernetesTime(),
            ["reason"] = reason, ["message"] = message,
        };
    }

    private static void Add(JsonObject status, string field, long count)
    {
        if (count > 0) status[field] = count;
    }
}
