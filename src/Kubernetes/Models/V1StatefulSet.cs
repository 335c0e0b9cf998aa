namespace Opt.Kubernetes;

/// <summary>Pods with stable names, <c>name-0 .. name-(replicas-1)</c>.</summary>
public sealed record V1StatefulSet : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "apps/v1"; init; }
    public string Kind { get => field ?? "StatefulSet"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1StatefulSetSpec? Spec { get; init; }
    public V1StatefulSetStatus? Status { get; init; }
}

public sealed record V1StatefulSetSpec : OpenRecord
{
    public int? Replicas { get; init; }
    public V1LabelSelector? Selector { get; init; }
    public V1PodTemplateSpec? Template { get; init; }
    public string? ServiceName { get; init; }

    /// <summary><c>OrderedReady</c> or <c>Parallel</c>.</summary>
    public string? PodManagementPolicy { get; init; }
    public V1StatefulSetUpdateStrategy? UpdateStrategy { get; init; }
    public int? RevisionHistoryLimit { get; init; }
    public int? MinReadySeconds { get; init; }
    public V1StatefulSetOrdinals? Ordinals { get; init; }
    public V1StatefulSetPersistentVolumeClaimRetentionPolicy? PersistentVolumeClaimRetentionPolicy { get; init; }
}

public sealed record V1StatefulSetUpdateStrategy : OpenRecord
{
    /// <summary><c>RollingUpdate</c> or <c>OnDelete</c>.</summary>
    public string? Type { get; init; }
}

public sealed record V1StatefulSetOrdinals : OpenRecord
{
    public int? Start { get; init; }
}

public sealed record V1StatefulSetPersistentVolumeClaimRetentionPolicy : OpenRecord
{
    public string? WhenDeleted { get; init; }
    public string? WhenScaled { get; init; }
}

public sealed record V1StatefulSetStatus : OpenRecord
{
    public long? ObservedGeneration { get; init; }
    public int? Replicas { get; init; }
    public int? ReadyReplicas { get; init; }
    public int? AvailableReplicas { get; init; }
    public int? CurrentReplicas { get; init; }
    public int? UpdatedReplicas { get; init; }
    public string? CurrentRevision { get; init; }
    public string? UpdateRevision { get; init; }
    public int? CollisionCount { get; init; }
    public IReadOnlyList<V1Condition>? Conditions { get; init; }
}
