using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Lifecycle;

/// <summary>What the controller manager puts into every new namespace: the default service account and the cluster's CA. Here it is there at once.</summary>
internal static class NamespaceContents
{
    private const string Description =
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

    public static readonly Caller Controller = new("system:kube-controller-manager", "kube-controller-manager", ["system:masters", "system:authenticated"]);

    public static async Task AddAsync(ApiContext context, string @namespace, CancellationToken ct)
    {
        await AddAsync(context, "serviceaccounts", @namespace, new JsonObject { ["metadata"] = new JsonObject { ["name"] = "default" } }, ct);
        await AddAsync(context, "configmaps", @namespace, new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "kube-root-ca.crt", ["annotations"] = new JsonObject { ["kubernetes.io/description"] = Description } },
            ["data"] = new JsonObject { ["ca.crt"] = context.CaBundle },
        }, ct);
    }

    private static async Task AddAsync(ApiContext context, string plural, string @namespace, JsonObject body, CancellationToken ct)
    {
        var kind = context.Kinds.Find("", "v1", plural)!;
        if (context.Find(kind, @namespace, (string)body["metadata"]!["name"]!) is not null) return;
        await Creator.CreateAsync(context, kind, @namespace, body, new WriteRequest(Controller), ct);
    }
}
