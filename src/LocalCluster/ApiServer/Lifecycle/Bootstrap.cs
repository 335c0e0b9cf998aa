using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Lifecycle;

/// <summary>What every cluster has from the start: its namespaces, the administrator's role, the priorities of the system's pods, and the API server's own service.</summary>
internal static class Bootstrap
{
    private static readonly string[] Namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];
    private static readonly Caller Server = new("system:apiserver", "kube-apiserver", ["system:masters"]);

    public static async Task RunAsync(ApiContext context, CancellationToken ct)
    {
        foreach (var name in Namespaces) await EnsureAsync(context, "", "namespaces", null, new JsonObject { ["metadata"] = Named(name) }, ct);
        await EnsureAsync(context, "rbac.authorization.k8s.io", "clusterroles", null, ClusterAdmin(), ct);
        await EnsureAsync(context, "rbac.authorization.k8s.io", "clusterrolebindings", null, ClusterAdminBinding(), ct);
        foreach (var body in PriorityClasses()) await EnsureAsync(context, "scheduling.k8s.io", "priorityclasses", null, body, ct);
        await EnsureAsync(context, "", "services", "default", KubernetesService(), ct);
    }

    private static async Task EnsureAsync(ApiContext context, string group, string plural, string? @namespace, JsonObject body, CancellationToken ct)
    {
        var kind = context.Kinds.Find(group, "v1", plural)!;
        if (context.Find(kind, @namespace, (string)body["metadata"]!["name"]!) is not null) return;
        await Creator.CreateAsync(context, kind, @namespace, body, new WriteRequest(Server), ct);
    }

    private static JsonObject Named(string name) => new() { ["name"] = name };

    private static JsonObject Defaulted(string name) => new()
    {
        ["name"] = name,
        ["labels"] = new JsonObject { ["kubernetes.io/bootstrapping"] = "rbac-defaults" },
        ["annotations"] = new JsonObject { ["rbac.authorization.kubernetes.io/autoupdate"] = "true" },
    };

    private static JsonObject ClusterAdmin() => new()
    {
        ["metadata"] = Defaulted("cluster-admin"),
        ["rules"] = new JsonArray(
            new JsonObject { ["verbs"] = new JsonArray("*"), ["apiGroups"] = new JsonArray("*"), ["resources"] = new JsonArray("*") },
            new JsonObject { ["verbs"] = new JsonArray("*"), ["nonResourceURLs"] = new JsonArray("*") }),
    };

    private static JsonObject ClusterAdminBinding() => new()
    {
        ["metadata"] = Defaulted("cluster-admin"),
        ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = "cluster-admin" },
        ["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "Group", ["name"] = "system:masters" }),
    };

    private static IEnumerable<JsonObject> PriorityClasses() =>
    [
        new()
        {
            ["metadata"] = Named("system-node-critical"),
            ["value"] = 2000001000,
            ["description"] = "Used for system critical pods that must not be moved from their current node.",
        },
        new()
        {
            ["metadata"] = Named("system-cluster-critical"),
            ["value"] = 2000000000,
            ["description"] = "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        },
    ];

    private static JsonObject KubernetesService() => new()
    {
        ["metadata"] = new JsonObject { ["name"] = "kubernetes", ["labels"] = new JsonObject { ["component"] = "apiserver", ["provider"] = "kubernetes" } },
        ["spec"] = new JsonObject
        {
            ["clusterIP"] = "10.96.0.1",
            ["ports"] = new JsonArray(new JsonObject { ["name"] = "https", ["port"] = 443, ["protocol"] = "TCP", ["targetPort"] = 6443 }),
        },
    };
}
