using System.Globalization;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>Finds where a service can be reached from this process: at a ready pod that it selects, on the target port.</summary>
internal sealed class ServiceAddresses(ObjectStore store)
{
    /// <summary>An address and port; null when there is no ready pod.</summary>
    public string? Resolve(string @namespace, string name, long port)
    {
        if (store.Get("/services", @namespace, name)?.ToTree() is not { } service) return null;
        var servicePort = service.Items("spec", "ports").FirstOrDefault(p => p["port"].Long() == port);
        if (servicePort is null) return null;
        var selector = service.Obj("spec", "selector") ?? [];
        foreach (var stored in store.List("/pods", @namespace).Objects)
        {
            if (!selector.All(s => stored.Label(s.Key) == s.Value.Str())) continue;
            var pod = stored.ToTree();
            if (pod.Str("status", "podIP") is not { Length: > 0 } address || !IsReady(pod)) continue;
            if (TargetPort(servicePort["targetPort"], pod) is { } target) return string.Create(CultureInfo.InvariantCulture, $"{address}:{target}");
        }

        return null;
    }

    private static bool IsReady(System.Text.Json.Nodes.JsonObject pod) => pod.Items("status", "conditions").Any(c => c.Str("type") == "Ready" && c.Str("status") == "True");

    private static long? TargetPort(System.Text.Json.Nodes.JsonNode? target, System.Text.Json.Nodes.JsonObject pod) =>
        target.Long() ?? pod.Items("spec", "containers").SelectMany(c => c.Items("ports")).FirstOrDefault(p => p.Str("name") == target.Str())?["containerPort"].Long();
}
