using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Kubelet.Environment;

/// <summary>What is known of a pod when its containers are set up: the object, its addresses and its node.</summary>
internal sealed record PodSetting(JsonObject Pod, string PodIp, string HostIp, JsonObject Node, IPodSources Sources);

/// <summary>Reads the config maps and secrets that pods refer to; null when there is none of that name.</summary>
internal interface IPodSources
{
    JsonObject? ConfigMap(string @namespace, string name);

    JsonObject? Secret(string @namespace, string name);

    /// <summary>A bearer token for the pod's service account.</summary>
    Task<string> TokenAsync(JsonObject pod, string? audience, long expirationSeconds, CancellationToken ct);
}
