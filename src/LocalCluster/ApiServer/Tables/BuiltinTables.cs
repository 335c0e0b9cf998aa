using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Selectors;

namespace Opt.LocalCluster.ApiServer.Tables;

/// <summary>The columns of the built-in kinds.</summary>
internal static class BuiltinTables
{
    private const string None = "<none>";
    private const string Addresses =
        "List of addresses reachable to the node. Queried from cloud provider, if available. More info: https://kubernetes.io/docs/reference/node/node-status/#addresses Note: This field is declared as mergeable, but the merge key is not sufficiently unique, which can cause data corruption when it is merged. Callers should instead use a full-replacement patch. See https://pr.k8s.io/79391 for an example. Consumers should assume that addresses can change during the lifetime of a Node. However, there are some exceptions where this may not be possible, such as Pods that inherit a Node's address in its own status or consumers of the downward API (status.hostIP).";

    private static readonly Column Name = new("Name", (o, _) => o.Name(), Format: "name", Description: Column.NameText);
    private static readonly Column Age = new("Age", (o, now) => HumanDuration.Since(o.At("metadata", "creationTimestamp"), now), Description: Column.AgeText);
    private static readonly Column CreatedAt = new("Created At", (o, _) => o.Str("metadata", "creationTimestamp"), Type: "date", Description: Column.AgeText);
    private static readonly Column Containers = new("Containers", (o, _) => Join(Template(o).Items("containers").Select(c => c.Str("name"))), 1, Description: "Names of each container in the template.");
    private static readonly Column Images = new("Images", (o, _) => Join(Template(o).Items("containers").Select(c => c.Str("image"))), 1, Description: "Images referenced by each container in the template.");
    private static readonly Column Selector = new("Selector", (o, _) => SelectorText(o.At("spec", "selector")), 1, Description: "Label selector for pods.");

    private static readonly Dictionary<(string Group, string Kind), Column[]> ByKind = new()
    {
        [("", "Pod")] =
        [
            Name,
            new("Ready", (o, _) => PodPrinter.Ready(o), Description: "The aggregate readiness state of this pod for accepting traffic."),
            new("Status", (o, _) => PodPrinter.Status(o), Description: "The aggregate status of the containers in this pod."),
            new("Restarts", (o, now) => PodPrinter.Restarts(o, now), Description: "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."),
            Age,
            new("IP", (o, _) => Or(o.Str("status", "podIP")), 1, Description: "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated."),
            new("Node", (o, _) => Or(o.Str("spec", "nodeName")), 1, Description: "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename"),
            new("Nominated Node", (o, _) => Or(o.Str("status", "nominatedNodeName")), 1, Description: "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled."),
            new("Readiness Gates", (o, _) => PodPrinter.Gates(o), 1, Description: "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to \"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates"),
        ],
        [("", "Node")] =
        [
            Name,
            new("Status", (o, _) => NodeStatus(o), Description: "The status of the node"),
            new("Roles", (o, _) => Or(Roles(o)), Description: "The roles of the node"),
            Age,
            new("Version", (o, _) => o.Str("status", "nodeInfo", "kubeletVersion") ?? "", Description: "Kubelet Version reported by the node."),
            new("Internal-IP", (o, _) => Or(Address(o, "InternalIP")), 1, Description: Addresses),
            new("External-IP", (o, _) => Or(Address(o, "ExternalIP")), 1, Description: Addresses),
            new("OS-Image", (o, _) => Or(o.Str("status", "nodeInfo", "osImage"), "<unknown>"), 1, Description: "OS Image reported by the node from /etc/os-release (e.g. Debian GNU/Linux 7 (wheezy))."),
            new("Kernel-Version", (o, _) => Or(o.Str("status", "nodeInfo", "kernelVersion"), "<unknown>"), 1, Description: "Kernel Version reported by the node from 'uname -r' (e.g. 3.16.0-0.bpo.4-amd64)."),
            new("Container-Runtime", (o, _) => Or(o.Str("status", "nodeInfo", "containerRuntimeVersion"), "<unknown>"), 1, Description: "ContainerRuntime Version reported by the node through runtime remote API (e.g. containerd://1.4.2)."),
        ],
        [("", "Namespace")] = [Name, new("Status", (o, _) => o.Str("status", "phase"), Description: "The status of the namespace"), Age],
        [("", "Service")] =
        [
            Name,
            new("Type", (o, _) => o.Str("spec", "type")),
            new("Cluster-IP", (o, _) => Or(o.Str("spec", "clusterIP"))),
            new("External-IP", (o, _) => Or(o.Str("spec", "externalName") ?? string.Join(",", o.At("spec").Strings("externalIPs")))),
            new("Port(s)", (o, _) => Or(string.Join(",", o.Items("spec", "ports").Select(ServicePort)))),
            Age,
            new("Selector", (o, _) => Or(LabelSelector.FromMap(o.Obj("spec", "selector")).ToString()), 1),
        ],
        [("", "ConfigMap")] =
        [
            Name,
            new("Data", (o, _) => (o.Obj("data")?.Count ?? 0) + (o.Obj("binaryData")?.Count ?? 0), Description: "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process."),
            Age,
        ],
        [("", "Secret")] = [Name, new("Type", (o, _) => o.Str("type")), new("Data", (o, _) => o.Obj("data")?.Count ?? 0), Age],
        [("", "ServiceAccount")] = [Name, new("Secrets", (o, _) => o.Arr("secrets")?.Count ?? 0), Age],
        [("", "Endpoints")] = [Name, new("Endpoints", (o, _) => Or(string.Join(",", o.Items("subsets").SelectMany(s => s.Items("addresses")).Select(a => a.Str("ip"))))), Age],
        [("", "Event")] = EventColumns(),
        [("events.k8s.io", "Event")] = EventColumns(),
        [("", "PersistentVolumeClaim")] =
        [
            Name, new("Status", (o, _) => o.Str("status", "phase")), new("Volume", (o, _) => o.Str("spec", "volumeName") ?? ""),
            new("Capacity", (o, _) => o.Str("status", "capacity", "storage") ?? ""), new("Access Modes", (o, _) => string.Join(",", o.At("spec").Strings("accessModes"))),
            new("StorageClass", (o, _) => o.Str("spec", "storageClassName") ?? ""), Age,
        ],
        [("", "PersistentVolume")] = [Name, new("Capacity", (o, _) => o.Str("spec", "capacity", "storage") ?? ""), new("Status", (o, _) => o.Str("status", "phase")), Age],
        [("apps", "StatefulSet")] = [Name, new("Ready", (o, _) => Of(o, "readyReplicas", "replicas"), Description: "Number of the pod with ready state"), Age, Containers, Images],
        [("apps", "Deployment")] =
        [
            Name, new("Ready", (o, _) => Of(o, "readyReplicas", "replicas"), Description: "Number of the pod with ready state"),
            new("Up-to-date", (o, _) => o.Long("status", "updatedReplicas") ?? 0), new("Available", (o, _) => o.Long("status", "availableReplicas") ?? 0), Age, Containers, Images, Selector,
        ],
        [("apps", "ReplicaSet")] =
        [
            Name, new("Desired", (o, _) => o.Long("spec", "replicas") ?? 0, Type: "integer"), new("Current", (o, _) => o.Long("status", "replicas") ?? 0, Type: "integer"),
            new("Ready", (o, _) => o.Long("status", "readyReplicas") ?? 0, Type: "integer"), Age, Containers, Images, Selector,
        ],
        [("apps", "DaemonSet")] =
        [
            Name, Count("Desired", "desiredNumberScheduled"), Count("Current", "currentNumberScheduled"), Count("Ready", "numberReady"), Count("Up-to-date", "updatedNumberScheduled"),
            Count("Available", "numberAvailable"), new("Node Selector", (o, _) => Or(LabelSelector.FromMap(Template(o).Obj("nodeSelector")).ToString())), Age, Containers, Images, Selector,
        ],
        [("apps", "ControllerRevision")] =
        [
            Name,
            new("Controller", (o, _) => Or(o.Items("metadata", "ownerReferences").Where(r => r["controller"].Bool() == true).Select(r => $"{r.Str("kind")!.ToLowerInvariant()}.{r.Str("apiVersion")!.Split('/')[0]}/{r.Str("name")}").FirstOrDefault())),
            new("Revision", (o, _) => o.Long("revision") ?? 0), Age,
        ],
        [("batch", "Job")] = [Name, new("Status", (o, _) => JobStatus(o)), new("Completions", (o, _) => string.Create(CultureInfo.InvariantCulture, $"{o.Long("status", "succeeded") ?? 0}/{o.Long("spec", "completions") ?? 1}")), new("Duration", (o, now) => JobDuration(o, now)), Age, Containers, Images, Selector],
        [("policy", "PodDisruptionBudget")] =
        [
            Name, new("Min Available", (o, _) => o.At("spec", "minAvailable")?.Plain() ?? "N/A"), new("Max Unavailable", (o, _) => o.At("spec", "maxUnavailable")?.Plain() ?? "N/A"),
            new("Allowed Disruptions", (o, _) => o.Long("status", "disruptionsAllowed") ?? 0, Type: "integer"), Age,
        ],
        [("coordination.k8s.io", "Lease")] = [Name, new("Holder", (o, _) => o.Str("spec", "holderIdentity") ?? ""), Age],
        [("apiextensions.k8s.io", "CustomResourceDefinition")] = [Name, CreatedAt],
        [("rbac.authorization.k8s.io", "Role")] = [Name, CreatedAt],
        [("rbac.authorization.k8s.io", "ClusterRole")] = [Name, CreatedAt],
        [("rbac.authorization.k8s.io", "RoleBinding")] = BindingColumns(),
        [("rbac.authorization.k8s.io", "ClusterRoleBinding")] = BindingColumns(),
        [("scheduling.k8s.io", "PriorityClass")] = [Name, new("Value", (o, _) => o.Long("value") ?? 0), new("Global-Default", (o, _) => o["globalDefault"].Bool() == true), Age, new("PreemptionPolicy", (o, _) => o.Str("preemptionPolicy") ?? "")],
        [("storage.k8s.io", "StorageClass")] = [Name, new("Provisioner", (o, _) => o.Str("provisioner") ?? ""), new("ReclaimPolicy", (o, _) => o.Str("reclaimPolicy") ?? ""), new("VolumeBindingMode", (o, _) => o.Str("volumeBindingMode") ?? ""), Age],
        [("admissionregistration.k8s.io", "MutatingWebhookConfiguration")] = [Name, new("Webhooks", (o, _) => o.Arr("webhooks")?.Count ?? 0, Type: "integer"), Age],
        [("admissionregistration.k8s.io", "ValidatingWebhookConfiguration")] = [Name, new("Webhooks", (o, _) => o.Arr("webhooks")?.Count ?? 0, Type: "integer"), Age],
        [("discovery.k8s.io", "EndpointSlice")] = [Name, new("AddressType", (o, _) => o.Str("addressType") ?? ""), new("Ports", (o, _) => Or(string.Join(",", o.Items("ports").Select(p => p["port"]?.Plain())), "<unset>")), new("Endpoints", (o, _) => Or(string.Join(",", o.Items("endpoints").SelectMany(e => e.Strings("addresses"))), "<unset>")), Age],
        [("networking.k8s.io", "NetworkPolicy")] = [Name, new("Pod-Selector", (o, _) => SelectorText(o.At("spec", "podSelector"))), Age],
        [("networking.k8s.io", "Ingress")] = [Name, new("Class", (o, _) => Or(o.Str("spec", "ingressClassName"))), new("Hosts", (o, _) => Or(string.Join(",", o.Items("spec", "rules").Select(r => r.Str("host") ?? "*")), "*")), Age],
    };

    public static IReadOnlyList<Column> For(ResourceKind kind) => ByKind.GetValueOrDefault((kind.Group, kind.Kind)) ?? [Name, CreatedAt];

    private static Column[] EventColumns() =>
    [
        new("Last Seen", (o, now) => HumanDuration.Since(o["lastTimestamp"] ?? o["deprecatedLastTimestamp"] ?? o.At("series", "lastObservedTime") ?? o["eventTime"] ?? o.At("metadata", "creationTimestamp"), now)),
        new("Type", (o, _) => o.Str("type") ?? ""),
        new("Reason", (o, _) => o.Str("reason") ?? ""),
        new("Object", (o, _) => $"{Regarding(o).Str("kind")?.ToLowerInvariant()}/{Regarding(o).Str("name")}"),
        new("Subobject", (o, _) => Regarding(o).Str("fieldPath") ?? "", 1),
        new("Source", (o, _) => Source(o), 1),
        new("Message", (o, _) => (o.Str("message") ?? o.Str("note") ?? "").Trim()),
        new("First Seen", (o, now) => HumanDuration.Since(o["firstTimestamp"] ?? o["deprecatedFirstTimestamp"] ?? o["eventTime"] ?? o.At("metadata", "creationTimestamp"), now), 1),
        new("Count", (o, _) => o.Long("series", "count") ?? o.Long("count") ?? o.Long("deprecatedCount") ?? 1, 1),
        Name with { Priority = 1 },
    ];

    private static Column[] BindingColumns() =>
    [
        Name,
        new("Role", (o, _) => $"{o.Str("roleRef", "kind")}/{o.Str("roleRef", "name")}"),
        Age,
        new("Users", (o, _) => Subjects(o, "User"), 1),
        new("Groups", (o, _) => Subjects(o, "Group"), 1),
        new("ServiceAccounts", (o, _) => Subjects(o, "ServiceAccount"), 1),
    ];

    private static string Subjects(JsonObject binding, string kind) => string.Join(", ", binding.Items("subjects").Where(s => s.Str("kind") == kind)
        .Select(s => kind == "ServiceAccount" ? $"{s.Str("namespace")}/{s.Str("name")}" : s.Str("name")));

    private static JsonObject Regarding(JsonObject item) => item.Obj("involvedObject") ?? item.Obj("regarding") ?? [];

    private static string Source(JsonObject item)
    {
        var source = item.Obj("source") ?? item.Obj("deprecatedSource") ?? [];
        var component = source.Str("component") ?? item.Str("reportingComponent") ?? item.Str("reportingController") ?? "";
        return source.Str("host") is { Length: > 0 } host ? $"{component}, {host}" : component;
    }

    private static JsonObject Template(JsonObject item) => item.Obj("spec", "template", "spec") ?? item.Obj("spec", "jobTemplate", "spec", "template", "spec") ?? [];

    private static string Of(JsonObject item, string have, string want) => string.Create(CultureInfo.InvariantCulture, $"{item.Long("status", have) ?? 0}/{item.Long("spec", want) ?? 0}");

    private static Column Count(string name, string field) => new(name, (o, _) => o.Long("status", field) ?? 0, Type: "integer");

    private static string ServicePort(JsonObject port)
    {
        var node = port["nodePort"].Long() is > 0 and var number ? $":{number.ToString(CultureInfo.InvariantCulture)}" : "";
        return $"{port["port"]?.Plain()}{node}/{port.Str("protocol")}";
    }

    private static string NodeStatus(JsonObject node)
    {
        var ready = node.Items("status", "conditions").FirstOrDefault(c => c.Str("type") == "Ready");
        var text = ready is null ? "Unknown" : ready.Str("status") == "True" ? "Ready" : "NotReady";
        return node.At("spec", "unschedulable").Bool() == true ? text + ",SchedulingDisabled" : text;
    }

    private static string Roles(JsonObject node)
    {
        const string Prefix = "node-role.kubernetes.io/";
        var labels = node.Obj("metadata", "labels") ?? [];
        var roles = labels.Where(l => l.Key.StartsWith(Prefix, StringComparison.Ordinal)).Select(l => l.Key[Prefix.Length..])
            .Concat(labels.Where(l => l.Key == "kubernetes.io/role").Select(l => l.Value.Str() ?? ""));
        return string.Join(",", roles.Where(r => r.Length > 0).Order(StringComparer.Ordinal));
    }

    private static string? Address(JsonObject node, string type) => node.Items("status", "addresses").FirstOrDefault(a => a.Str("type") == type)?.Str("address");

    private static string JobStatus(JsonObject job)
    {
        var conditions = job.Items("status", "conditions").Where(c => c.Str("status") == "True").Select(c => c.Str("type")).ToArray();
        return conditions.Contains("Complete") ? "Complete" : conditions.Contains("Failed") ? "Failed" : conditions.Contains("Suspended") ? "Suspended" : job.IsDeleting() ? "Terminating" : "Running";
    }

    private static string JobDuration(JsonObject job, DateTimeOffset now)
    {
        if (!Schema.Scalars.TryTime(job.Str("status", "startTime"), out var start)) return "";
        return HumanDuration.Of((Schema.Scalars.TryTime(job.Str("status", "completionTime"), out var end) ? end : now) - start);
    }

    private static string SelectorText(JsonNode? selector) => selector is null ? None : Or(LabelSelector.FromObject(selector)?.ToString());

    private static string Join(IEnumerable<string?> parts) => string.Join(",", parts);

    private static string Or(string? text, string otherwise = None) => string.IsNullOrEmpty(text) ? otherwise : text;
}
