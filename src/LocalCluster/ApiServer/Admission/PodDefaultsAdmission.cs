using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>DefaultTolerationSeconds and Priority: what every pod gets unless it says otherwise.</summary>
internal static class PodDefaultsAdmission
{
    private const int Seconds = 300;

    public static void Mutate(ObjectStore store, JsonObject pod)
    {
        var spec = pod.Ensure("spec");
        Tolerate(spec, "node.kubernetes.io/not-ready");
        Tolerate(spec, "node.kubernetes.io/unreachable");
        Prioritise(store, pod, spec);
    }

    private static void Tolerate(JsonObject spec, string key)
    {
        var tolerations = spec["tolerations"] as JsonArray ?? [];
        if (tolerations.Any(t => (t.Str("key") == key || string.IsNullOrEmpty(t.Str("key"))) && t.Str("effect") is null or "" or "NoExecute")) return;
        tolerations.Add(new JsonObject { ["key"] = key, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = Seconds });
        spec["tolerations"] = tolerations;
    }

    private static void Prioritise(ObjectStore store, JsonObject pod, JsonObject spec)
    {
        var name = spec.Str("priorityClassName") ?? "";
        var known = name.Length == 0
            ? store.List("scheduling.k8s.io/priorityclasses", null).Objects.Select(o => o.ToTree()).FirstOrDefault(c => c["globalDefault"].Bool() == true)
            : store.Get("scheduling.k8s.io/priorityclasses", "", name)?.ToTree() ?? throw NoClass(pod, name);
        if (known is not null && name.Length == 0) spec["priorityClassName"] = known.Name();
        spec["priority"] = known?["value"].Long() ?? 0;
        spec.Default("preemptionPolicy", known?.Str("preemptionPolicy") ?? "PreemptLowerPriority");
    }

    private static ApiException NoClass(JsonObject pod, string name) => ApiErrors.Error(
        403, "Forbidden", $"pods \"{pod.Name()}\" is forbidden: no PriorityClass with name {name} was found", new JsonObject { ["name"] = pod.Name(), ["kind"] = "pods" });
}
