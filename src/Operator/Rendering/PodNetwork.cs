using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;

namespace Opt.Operator.Rendering;

/// <summary>The machine's network and RDMA devices, as the job asks for them.</summary>
internal static class PodNetwork
{
    public static void Apply(NetworkSpec? network, JsonObject template)
    {
        if (network is null) return;
        var spec = template["spec"]!.AsObject();
        var trainer = spec["containers"]![0]!.AsObject();
        if (network.HostNetwork) UseHost(spec, trainer);
        if (network.SocketInterface is { } name) trainer["env"]!.AsArray().Add((JsonNode)new JsonObject { ["name"] = "NCCL_SOCKET_IFNAME", ["value"] = name });
        if (network.Rdma is { } rdma) UseRdma(trainer, rdma);
        if (network.Tls is true) UseTls(trainer);
    }

    /// <summary>Names still resolve in the cluster; the host port is written out, so that two jobs on one machine are refused by the scheduler and not by the agent.</summary>
    private static void UseHost(JsonObject spec, JsonObject trainer)
    {
        spec["hostNetwork"] = true;
        spec["dnsPolicy"] = "ClusterFirstWithHostNet";
        trainer["ports"]![0]!["hostPort"] = Names.AgentPort;
    }

    /// <summary>Certificate and key come with the token. A kubelet asks probes over TLS without looking at the certificate.</summary>
    private static void UseTls(JsonObject trainer)
    {
        trainer["env"]!.AsArray().Add((JsonNode)new JsonObject { ["name"] = "OPT_AGENT_TLS", ["value"] = "1" });
        foreach (var probe in (string[])["startupProbe", "readinessProbe", "livenessProbe"]) trainer[probe]!["httpGet"]!["scheme"] = "HTTPS";
    }

    /// <summary>Registered buffers are locked pages: without IPC_LOCK the limit on locked memory, often 64 KiB, makes ibv_reg_mr fail.</summary>
    private static void UseRdma(JsonObject trainer, RdmaSpec rdma)
    {
        if (trainer["resources"] is null) trainer["resources"] = new JsonObject { ["limits"] = new JsonObject() };
        trainer["resources"]!["limits"]![rdma.Resource] = $"{rdma.Count}";
        trainer["securityContext"]!["capabilities"]!["add"] = new JsonArray("IPC_LOCK");
    }
}
