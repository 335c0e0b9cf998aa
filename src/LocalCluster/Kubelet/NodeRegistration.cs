using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet;

/// <summary>The Node object and lease of a simulated machine.</summary>
internal static class NodeRegistration
{
    public static JsonObject Node(string name, string address, DevicePool devices, string bootId, DateTimeOffset now) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Node",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["labels"] = new JsonObject
            {
                ["kubernetes.io/hostname"] = name, ["kubernetes.io/os"] = "linux", ["kubernetes.io/arch"] = Architecture,
                ["beta.kubernetes.io/os"] = "linux", ["beta.kubernetes.io/arch"] = Architecture,
            },
        },
        ["status"] = Status(null, name, address, devices, bootId, now),
    };

    /// <summary>The status of a node that is well; conditions keep the time of their last change.</summary>
    public static JsonObject Status(JsonObject? before, string name, string address, DevicePool devices, string bootId, DateTimeOffset now) => new()
    {
        ["capacity"] = Capacity(devices),
        ["allocatable"] = Capacity(devices),
        ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = address }, new JsonObject { ["type"] = "Hostname", ["address"] = name }),
        ["conditions"] = new JsonArray(
            Well(before, "MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available", now),
            Well(before, "DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure", now),
            Well(before, "PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available", now),
            Well(before, "Ready", "True", "KubeletReady", "kubelet is posting ready status", now)),
        ["nodeInfo"] = new JsonObject
        {
            ["machineID"] = name, ["systemUUID"] = name, ["bootID"] = bootId, ["kernelVersion"] = System.Environment.OSVersion.Version.ToString(), ["osImage"] = RuntimeInformation.OSDescription,
            ["containerRuntimeVersion"] = "opt-local://1", ["kubeletVersion"] = "v1.36.2", ["kubeProxyVersion"] = "", ["operatingSystem"] = "linux", ["architecture"] = Architecture,
        },
    };

    public static JsonObject Lease(string name, JsonObject node, int seconds, DateTimeOffset now) => new()
    {
        ["apiVersion"] = "coordination.k8s.io/v1",
        ["kind"] = "Lease",
        ["metadata"] = new JsonObject
        {
            ["name"] = name, ["namespace"] = "kube-node-lease",
            ["ownerReferences"] = new JsonArray(new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["name"] = name, ["uid"] = node.Uid }),
        },
        ["spec"] = new JsonObject { ["holderIdentity"] = name, ["leaseDurationSeconds"] = seconds, ["renewTime"] = now.ToKubernetesMicroTime() },
    };

    private static string Architecture => RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    private static JsonObject Capacity(DevicePool devices)
    {
        var capacity = new JsonObject
        {
            ["cpu"] = System.Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
            ["ephemeral-storage"] = $"{new DriveInfo(Path.GetTempPath()).TotalSize / 1024}Ki",
            ["memory"] = $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024}Ki",
            ["pods"] = "110",
        };
        if (devices.Count > 0) capacity[devices.Resource] = devices.Count.ToString(CultureInfo.InvariantCulture);
        return capacity;
    }

    private static JsonObject Well(JsonObject? before, string type, string status, string reason, string message, DateTimeOffset now)
    {
        var known = before is null ? null : Condition.Find(before, type);
        return new JsonObject
        {
            ["type"] = type, ["status"] = status, ["lastHeartbeatTime"] = now.ToKubernetesTime(),
            ["lastTransitionTime"] = known.Text("status") == status ? known.Text("lastTransitionTime") : now.ToKubernetesTime(), ["reason"] = reason, ["message"] = message,
        };
    }
}
