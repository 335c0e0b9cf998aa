using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>A lock with a holder and a time to live, or a node's heartbeat.</summary>
public sealed record V1Lease : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "coordination.k8s.io/v1"; init; }
    public string Kind { get => field ?? "Lease"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1LeaseSpec? Spec { get; init; }
}

public sealed record V1LeaseSpec : OpenRecord
{
    public string? HolderIdentity { get; init; }
    public int? LeaseDurationSeconds { get; init; }
    [JsonConverter(typeof(MicroTimeConverter))] public DateTimeOffset? AcquireTime { get; init; }
    [JsonConverter(typeof(MicroTimeConverter))] public DateTimeOffset? RenewTime { get; init; }
    public int? LeaseTransitions { get; init; }
}
