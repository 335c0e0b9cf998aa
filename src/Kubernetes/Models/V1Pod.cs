using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>A pod: containers that share one network address and one fate.</summary>
public sealed record V1Pod : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "Pod"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1PodSpec? Spec { get; init; }
    public V1PodStatus? Status { get; init; }
}

/// <summary>What a workload stamps its pods from.</summary>
public sealed record V1PodTemplateSpec : OpenRecord
{
    public V1ObjectMeta? Metadata { get; init; }
    public V1PodSpec? Spec { get; init; }
}

public sealed record V1PodSpec : OpenRecord
{
    public IReadOnlyList<V1Container>? Containers { get; init; }
    public IReadOnlyList<V1Container>? InitContainers { get; init; }
    public IReadOnlyList<V1Volume>? Volumes { get; init; }
    public IReadOnlyDictionary<string, string>? NodeSelector { get; init; }
    public string? NodeName { get; init; }
    public V1Affinity? Affinity { get; init; }
    public IReadOnlyList<V1Toleration>? Tolerations { get; init; }
    public IReadOnlyList<V1TopologySpreadConstraint>? TopologySpreadConstraints { get; init; }
    public IReadOnlyList<V1PodSchedulingGate>? SchedulingGates { get; init; }
    public string? RestartPolicy { get; init; }
    public long? TerminationGracePeriodSeconds { get; init; }
    public long? ActiveDeadlineSeconds { get; init; }
    public string? DnsPolicy { get; init; }
    public string? ServiceAccountName { get; init; }
    public string? ServiceAccount { get; init; }
    public bool? AutomountServiceAccountToken { get; init; }
    public bool? EnableServiceLinks { get; init; }
    public bool? HostNetwork { get; init; }
    public bool? HostPID { get; init; }
    public bool? HostIPC { get; init; }
    public bool? ShareProcessNamespace { get; init; }
    public V1PodSecurityContext? SecurityContext { get; init; }
    public IReadOnlyList<V1LocalObjectReference>? ImagePullSecrets { get; init; }
    public string? Hostname { get; init; }
    public string? Subdomain { get; init; }
    public string? SchedulerName { get; init; }
    public string? PriorityClassName { get; init; }
    public int? Priority { get; init; }
    public string? PreemptionPolicy { get; init; }
    public string? RuntimeClassName { get; init; }
}

public sealed record V1PodSchedulingGate : OpenRecord
{
    public string? Name { get; init; }
}

public sealed record V1PodSecurityContext : OpenRecord
{
    public long? RunAsUser { get; init; }
    public long? RunAsGroup { get; init; }
    public bool? RunAsNonRoot { get; init; }
    public long? FsGroup { get; init; }
    public string? FsGroupChangePolicy { get; init; }
    public IReadOnlyList<long>? SupplementalGroups { get; init; }
    public V1SeccompProfile? SeccompProfile { get; init; }
}

public sealed record V1SeccompProfile : OpenRecord
{
    public string? Type { get; init; }
    public string? LocalhostProfile { get; init; }
}

public sealed record V1PodStatus : OpenRecord
{
    public string? Phase { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public IReadOnlyList<V1PodCondition>? Conditions { get; init; }
    public IReadOnlyList<V1ContainerStatus>? ContainerStatuses { get; init; }
    public IReadOnlyList<V1ContainerStatus>? InitContainerStatuses { get; init; }
    public string? HostIP { get; init; }
    public IReadOnlyList<V1PodIP>? HostIPs { get; init; }
    public string? PodIP { get; init; }
    public IReadOnlyList<V1PodIP>? PodIPs { get; init; }
    public string? NominatedNodeName { get; init; }
    public string? QosClass { get; init; }
    public long? ObservedGeneration { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? StartTime { get; init; }
}

public sealed record V1PodIP : OpenRecord
{
    public string? Ip { get; init; }
}

public sealed record V1PodCondition : OpenRecord
{
    public string? Type { get; init; }
    public string? Status { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public long? ObservedGeneration { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? LastProbeTime { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? LastTransitionTime { get; init; }
}

public sealed record V1ContainerStatus : OpenRecord
{
    public string? Name { get; init; }
    public string? Image { get; init; }
    public string? ImageID { get; init; }
    public string? ContainerID { get; init; }
    public bool? Ready { get; init; }
    public bool? Started { get; init; }
    public int? RestartCount { get; init; }
    public V1ContainerState? State { get; init; }
    public V1ContainerState? LastState { get; init; }
}

/// <summary>Exactly one of the three is set.</summary>
public sealed record V1ContainerState : OpenRecord
{
    public V1ContainerStateWaiting? Waiting { get; init; }
    public V1ContainerStateRunning? Running { get; init; }
    public V1ContainerStateTerminated? Terminated { get; init; }
}

public sealed record V1ContainerStateWaiting : OpenRecord
{
    public string? Reason { get; init; }
    public string? Message { get; init; }
}

public sealed record V1ContainerStateRunning : OpenRecord
{
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? StartedAt { get; init; }
}

public sealed record V1ContainerStateTerminated : OpenRecord
{
    public int? ExitCode { get; init; }
    public int? Signal { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public string? ContainerID { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? StartedAt { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? FinishedAt { get; init; }
}
