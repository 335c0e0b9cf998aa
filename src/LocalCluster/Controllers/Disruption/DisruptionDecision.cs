using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Disruption;

/// <summary>The status of a PodDisruptionBudget: how many of its pods may go now.</summary>
internal static class DisruptionDecision
{
    /// <summary>An eviction that was allowed but whose pod still lives counts against the budget for so long.</summary>
    private static readonly TimeSpan DisruptionTimeout = TimeSpan.FromMinutes(2);

    /// <param name="expectedByControllers">The sum of the replicas of the controllers that manage the pods.</param>
    public static Decision Decide(JsonObject budget, IReadOnlyList<JsonObject> pods, int expectedByControllers, DateTimeOffset now)
    {
        var disrupted = StillDisrupted(budget, pods, now);
        var healthy = pods.Count(pod => pod.IsPodReady && !pod.IsTerminating && !disrupted.ContainsKey(pod.Name));
        var (expected, desired) = Wanted(budget, pods.Count, expectedByControllers);
        var allowed = expected <= 0 ? 0 : Math.Max(0, healthy - desired);
        var status = new JsonObject();
        if (budget.Generation > 0) status["observedGeneration"] = budget.Generation;
        if (disrupted.Count > 0) status["disruptedPods"] = disrupted;
        status["disruptionsAllowed"] = allowed;
        status["currentHealthy"] = healthy;
        status["desiredHealthy"] = desired;
        status["expectedPods"] = expected;
        status["conditions"] = new JsonArray(Allowed(budget, allowed > 0, now));
        return new(JsonNode.DeepEquals(status, budget["status"]) ? [] : [Act.ReplaceStatus(Kinds.DisruptionBudgets, budget, status)],
            disrupted.Count > 0 ? DisruptionTimeout : null);
    }

    private static (int Expected, int Desired) Wanted(JsonObject budget, int pods, int byControllers)
    {
        if (budget.At("spec", "maxUnavailable") is { } unavailable)
        {
            return (byControllers, Math.Max(0, byControllers - (Percentage.Of(unavailable, byControllers, roundUp: true) ?? 0)));
        }

        var minimum = budget.At("spec", "minAvailable");
        var expected = minimum.Text()?.EndsWith('%') == true ? byControllers : pods;
        return (expected, Percentage.Of(minimum, expected, roundUp: true) ?? 0);
    }

    private static JsonObject StillDisrupted(JsonObject budget, IReadOnlyList<JsonObject> pods, DateTimeOffset now)
    {
        var alive = pods.Where(pod => !pod.IsTerminating).Select(pod => pod.Name).ToHashSet();
        var kept = new JsonObject();
        foreach (var (pod, time) in budget.Map("status", "disruptedPods"))
        {
            if (alive.Contains(pod) && DateTimeOffset.TryParse(time, System.Globalization.CultureInfo.InvariantCulture, out var at) && now - at < DisruptionTimeout) kept[pod] = time;
        }

        return kept;
    }

    private static JsonObject Allowed(JsonObject budget, bool allowed, DateTimeOffset now)
    {
        var before = Condition.Find(budget, "DisruptionAllowed");
        var status = allowed ? "True" : "False";
        return new JsonObject
        {
            ["type"] = "DisruptionAllowed", ["status"] = status, ["observedGeneration"] = budget.Generation,
            ["lastTransitionTime"] = before.Text("status") == status ? before.Text("lastTransitionTime") : now.ToKubernetesTime(),
            ["reason"] = allowed ? "SufficientPods" : "InsufficientPods", ["message"] = "",
        };
    }
}
