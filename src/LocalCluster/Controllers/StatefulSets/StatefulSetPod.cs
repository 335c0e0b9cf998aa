using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.StatefulSets;

/// <summary>Renders the pod of an ordinal from a revision: name, identity labels, hostname, owner, claims.</summary>
internal static class StatefulSetPod
{
    public static JsonObject Render(JsonObject set, JsonObject revision, int ordinal)
    {
        var template = (JsonObject)revision.At("data", "spec", "template")!.DeepClone();
        var name = $"{set.Name}-{ordinal}";
        var metadata = template["metadata"] as JsonObject ?? [];
        var labels = metadata.Ensure("labels");
        labels["statefulset.kubernetes.io/pod-name"] = name;
        labels["apps.kubernetes.io/pod-index"] = ordinal.ToString(CultureInfo.InvariantCulture);
        labels["controller-revision-hash"] = revision.Name;
        var spec = (JsonObject)template["spec"]!.DeepClone();
        spec["hostname"] = name;
        if (set.Text("spec", "serviceName") is { Length: > 0 } service) spec["subdomain"] = service;
        AddClaims(set, name, spec);

        var rendered = (JsonObject)metadata.DeepClone();
        rendered.Remove("name");
        rendered["name"] = name;
        rendered["generateName"] = $"{set.Name}-";
        rendered["namespace"] = set.Namespace;
        rendered["ownerReferences"] = OwnerReference.ToController("apps/v1", "StatefulSet", set);
        return new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = rendered, ["spec"] = spec };
    }

    private static void AddClaims(JsonObject set, string podName, JsonObject spec)
    {
        foreach (var claim in set.Objects("spec", "volumeClaimTemplates"))
        {
            if (spec["volumes"] is not JsonArray volumes) spec["volumes"] = volumes = [];
            volumes.Add(new JsonObject
            {
                ["name"] = claim.Name,
                ["persistentVolumeClaim"] = new JsonObject { ["claimName"] = $"{claim.Name}-{podName}" },
            });
        }
    }
}
