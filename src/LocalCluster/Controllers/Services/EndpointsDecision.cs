using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Services;

/// <summary>The addresses behind a Service: one Endpoints object and one EndpointSlice with its pods.</summary>
internal static class EndpointsDecision
{
    public static Decision Decide(JsonObject service, IReadOnlyList<JsonObject> pods, JsonObject? endpoints, JsonObject? slice)
    {
        var behind = pods.Where(pod => pod.PodIp.Length > 0 && !pod.IsFinished).OrderBy(pod => pod.Name, StringComparer.Ordinal).ToList();
        List<Act> acts = [];
        Write(acts, Kinds.Endpoints, Endpoints(service, behind), endpoints, "subsets");
        Write(acts, Kinds.EndpointSlices, Slice(service, behind), slice, "endpoints");
        return new(acts);
    }

    public static string SliceName(JsonObject service) => $"{service.Name}-{RevisionHash.Of(JsonValue.Create(service.Uid), 0)[..5]}";

    private static void Write(List<Act> acts, ResourceId resource, JsonObject wanted, JsonObject? there, string field)
    {
        if (there is null)
        {
            acts.Add(new Act.Create(resource, wanted));
        }
        else if (!JsonNode.DeepEquals(wanted[field], there[field]))
        {
            var changed = there.Copy();
            if (wanted[field] is { } value) changed[field] = value.DeepClone();
            else changed.Remove(field);
            acts.Add(new Act.Replace(resource, changed));
        }
    }

    private static bool IsReady(JsonObject service, JsonObject pod) =>
        service.Flag("spec", "publishNotReadyAddresses") || (pod.IsPodReady && !pod.IsTerminating);

    private static JsonObject Endpoints(JsonObject service, List<JsonObject> pods)
    {
        var subset = new JsonObject();
        AddAddresses(subset, "addresses", pods.Where(pod => IsReady(service, pod)));
        AddAddresses(subset, "notReadyAddresses", pods.Where(pod => !IsReady(service, pod)));
        if (Ports(service, pods) is { Count: > 0 } ports) subset["ports"] = ports;
        var labels = (service.At("metadata", "labels") as JsonObject)?.Copy() ?? [];
        labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller";
        if (service.Text("spec", "clusterIP") == "None") labels["service.kubernetes.io/headless"] = "";
        var body = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "Endpoints",
            ["metadata"] = new JsonObject { ["name"] = service.Name, ["namespace"] = service.Namespace, ["labels"] = labels },
        };
        if (pods.Count > 0) body["subsets"] = new JsonArray(subset);
        return body;
    }

    private static JsonObject Slice(JsonObject service, List<JsonObject> pods) => new()
    {
        ["apiVersion"] = "discovery.k8s.io/v1", ["kind"] = "EndpointSlice",
        ["metadata"] = new JsonObject
        {
            ["name"] = SliceName(service), ["namespace"] = service.Namespace,
            ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = service.Name, ["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io" },
            ["ownerReferences"] = OwnerReference.ToController("v1", "Service", service),
        },
        ["addressType"] = "IPv4",
        ["endpoints"] = new JsonArray([.. pods.Select(pod => (JsonNode)new JsonObject
        {
            ["addresses"] = new JsonArray(pod.PodIp),
            ["conditions"] = new JsonObject
            {
                ["ready"] = IsReady(service, pod), ["serving"] = pod.IsPodReady, ["terminating"] = pod.IsTerminating,
            },
            ["nodeName"] = pod.NodeName,
            ["targetRef"] = Target(pod),
        })]),
        // Unlike in Endpoints, a port without a name has the empty one: kubectl takes it for granted.
        ["ports"] = new JsonArray([.. Ports(service, pods).OfType<JsonObject>().Select(port => (JsonNode)new JsonObject
        {
            ["name"] = port.Text("name") ?? "", ["port"] = port["port"]!.DeepClone(), ["protocol"] = port["protocol"]!.DeepClone(),
        })]),
    };

    private static void AddAddresses(JsonObject subset, string field, IEnumerable<JsonObject> pods)
    {
        var addresses = new JsonArray([.. pods.Select(pod => (JsonNode)new JsonObject { ["ip"] = pod.PodIp, ["nodeName"] = pod.NodeName, ["targetRef"] = Target(pod) })]);
        if (addresses.Count > 0) subset[field] = addresses;
    }

    private static JsonObject Target(JsonObject pod) =>
        new() { ["kind"] = "Pod", ["namespace"] = pod.Namespace, ["name"] = pod.Name, ["uid"] = pod.Uid };

    private static JsonArray Ports(JsonObject service, List<JsonObject> pods)
    {
        var ports = new JsonArray();
        foreach (var port in service.Objects("spec", "ports"))
        {
            var rendered = new JsonObject();
            if (port.Text("name") is { } name) rendered["name"] = name;
            rendered["port"] = TargetPort(port, pods);
            rendered["protocol"] = port.Text("protocol") ?? "TCP";
            ports.Add((JsonNode)rendered);
        }

        return ports;
    }

    private static long TargetPort(JsonObject port, List<JsonObject> pods)
    {
        var target = port.Text("targetPort");
        if (target is null) return port.Number("port") ?? 0;
        if (long.TryParse(target, out var number)) return number == 0 ? port.Number("port") ?? 0 : number;
        return pods.SelectMany(pod => pod.Objects("spec", "containers")).SelectMany(c => c.Objects("ports"))
            .FirstOrDefault(p => p.Text("name") == target).Number("containerPort") ?? port.Number("port") ?? 0;
    }
}
