using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>A machine of the cluster.</summary>
public sealed record V1Node : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "Node"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1NodeSpec? Spec { get; init; }
    public V1NodeStatus? Status { get; init; }
}

public sealed record V1NodeSpec : OpenRecord
{
    public bool? Unschedulable { get; init; }
    public IReadOnlyList<V1Taint>? Taints { get; init; }
    public string? ProviderID { get; init; }
    public string? PodCIDR { get; init; }
    public IReadOnlyList<string>? PodCIDRs { get; init; }
}

public sealed record V1Taint : OpenRecord
{
    public string? Key { get; init; }
    public string? Value { get; init; }
    public string? Effect { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? TimeAdded { get; init; }
}

public sealed record V1NodeStatus : OpenRecord
{
    public IReadOnlyDictionary<string, ResourceQuantity>? Capacity { get; init; }
    public IReadOnlyDictionary<string, ResourceQuantity>? Allocatable { get; init; }
    public IReadOnlyList<V1NodeCondition>? Conditions { get; init; }
    public IReadOnlyList<V1NodeAddress>? Addresses { get; init; }
    public V1NodeSystemInfo? NodeInfo { get; init; }
}

public sealed record V1NodeCondition : OpenRecord
{
    public string? Type { get; init; }
    public string? Status { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? LastHeartbeatTime { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? LastTransitionTime { get; init; }
}

public sealed record V1NodeAddress : OpenRecord
{
    public string? Type { get; init; }
    public string? Address { get; init; }
}

public sealed record V1NodeSystemInfo : OpenRecord
{
    public string? MachineID { get; init; }
    public string? SystemUUID { get; init; }
    public string? BootID { get; init; }
    public string? KernelVersion { get; init; }
    public string? OsImage { get; init; }
    public string? ContainerRuntimeVersion { get; init; }
    public string? KubeletVersion { get; init; }
    public string? KubeProxyVersion { get; init; }
    public string? OperatingSystem { get; init; }
    public string? Architecture { get; init; }
}
