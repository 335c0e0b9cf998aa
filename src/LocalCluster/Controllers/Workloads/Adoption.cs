using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Workloads;

/// <summary>A controller takes over pods that match its selector and have no controller.</summary>
internal static class Adoption
{
    public static IEnumerable<Act> Decide(string apiVersion, string kind, JsonObject owner, IEnumerable<JsonObject> orphans)
    {
        if (owner.IsTerminating || LabelSelector.FromAccepted(owner.At("spec", "selector")) is not { } selector) return [];
        return orphans.Where(pod => !pod.IsTerminating && selector.Matches(pod.Labels)).Select(pod => Adopt(apiVersion, kind, owner, pod)).ToList();
    }

    private static Act.Patch Adopt(string apiVersion, string kind, JsonObject owner, JsonObject pod) => new(
        Kinds.Pods, pod, PatchKind.StrategicMerge, new JsonObject
        {
            ["metadata"] = new JsonObject { ["uid"] = pod.Uid, ["ownerReferences"] = OwnerReference.ToController(apiVersion, kind, owner) },
        });
}
