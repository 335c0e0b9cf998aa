using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Subresources;

/// <summary>POST pods/NAME/eviction: a deletion that asks the pod's disruption budget first.</summary>
public static class Eviction
{
    private const string Refusal = "Cannot evict pod as it would violate the pod's disruption budget.";

    public static async Task<JsonObject> EvictAsync(ApiContext context, ResourceKind pods, string @namespace, string name, JsonObject body, WriteRequest request, CancellationToken ct)
    {
        if (body.Name() is { Length: > 0 } given && given != name) throw ApiErrors.BadRequest($"name in URL does not match name in Eviction object: got {given}, expected {name}");
        if (body.Arr("deleteOptions", "dryRun") is { Count: > 0 }) request = request with { DryRun = true };
        var stored = context.Find(pods, @namespace, name) ?? throw ApiErrors.NotFound(pods, name);
        var pod = stored.ToTree();
        if (!Free(pod)) Spend(context, @namespace, pod, request);
        var options = DeleteOptions.From(body["deleteOptions"] as JsonObject);
        await Deleter.DeleteAsync(context, new Target(pods, @namespace, name), options with { Uid = options.Uid ?? pod.Uid() }, request, ct);
        return Binding.Done();
    }

    // Finished, unstarted and departing pods are no disruption.
    private static bool Free(JsonObject pod) => pod.IsDeleting() || pod.Str("status", "phase") is "Succeeded" or "Failed" or "Pending";

    private static void Spend(ApiContext context, string @namespace, JsonObject pod, WriteRequest request)
    {
        var kind = context.Kinds.Find("policy", "v1", "poddisruptionbudgets")!;
        while (true)
        {
            var budgets = Budgets(context, kind, @namespace, pod);
            if (budgets.Count == 0) return;
            if (budgets.Count > 1) throw ApiErrors.Internal("This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
            var (stored, budget) = budgets[0];
            if (UnhealthyMayGo(pod, budget)) return;
            Charge(context, budget, pod);
            var item = Creator.Finish(kind, budget);
            if (request.DryRun || context.Store.TryReplace(kind.StorageKey, stored, item, Creator.Fields(kind, item)) is not null) return;
        }
    }

    private static List<(StoredObject Stored, JsonObject Budget)> Budgets(ApiContext context, ResourceKind kind, string @namespace, JsonObject pod) =>
    [
        .. context.Store.List(kind.StorageKey, @namespace).Objects
            .Select(o => (Stored: o, Budget: o.ToTree()))
            .Where(b => LabelSelector.FromObject(b.Budget.At("spec", "selector"))?.Matches(pod.Obj("metadata", "labels")) == true),
    ];

    private static bool UnhealthyMayGo(JsonObject pod, JsonObject budget)
    {
        var ready = pod.Items("status", "conditions").Any(c => c.Str("type") == "Ready" && c.Str("status") == "True");
        if (ready) return false;
        var enough = (budget.Long("status", "currentHealthy") ?? 0) >= (budget.Long("status", "desiredHealthy") ?? 0) && (budget.Long("status", "desiredHealthy") ?? 0) > 0;
        return budget.Str("spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow" || enough;
    }

    private static void Charge(ApiContext context, JsonObject budget, JsonObject pod)
    {
        var status = budget.Ensure("status");
        if ((status["observedGeneration"].Long() ?? 0) < (budget.Long("metadata", "generation") ?? 0))
        {
            throw Refuse($"The disruption budget {budget.Name()} is still being processed by the server.", retryAfter: 10);
        }

        var allowed = status["disruptionsAllowed"].Long() ?? 0;
        if (allowed <= 0) throw Refuse(Exhausted(budget), retryAfter: null);
        status["disruptionsAllowed"] = allowed - 1;
        status.Ensure("disruptedPods")[pod.Name()] = Scalars.Time(context.Clock.GetUtcNow());
    }

    private static string Exhausted(JsonObject budget)
    {
        var (needs, has) = (budget.Long("status", "desiredHealthy") ?? 0, budget.Long("status", "currentHealthy") ?? 0);
        return string.Create(CultureInfo.InvariantCulture, $"The disruption budget {budget.Name()} needs {needs} healthy pods and has {has} currently");
    }

    private static ApiException Refuse(string cause, int? retryAfter)
    {
        var details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["reason"] = "DisruptionBudget", ["message"] = cause }) };
        if (retryAfter is { } seconds) details["retryAfterSeconds"] = seconds;
        return ApiErrors.TooManyRequests(Refusal, details);
    }
}
