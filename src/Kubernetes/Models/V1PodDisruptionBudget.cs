namespace Opt.Kubernetes;

/// <summary>How many pods of a set evictions may take at once.</summary>
public sealed record V1PodDisruptionBudget : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "policy/v1"; init; }
    public string Kind { get => field ?? "PodDisruptionBudget"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1PodDisruptionBudgetSpec? Spec { get; init; }
    public V1PodDisruptionBudgetStatus? Status { get; init; }
}

public sealed record V1PodDisruptionBudgetSpec : OpenRecord
{
    public V1LabelSelector? Selector { get; init; }
    public IntOrString? MinAvailable { get; init; }
    public IntOrString? MaxUnavailable { get; init; }
    public string? UnhealthyPodEvictionPolicy { get; init; }
}

public sealed record V1PodDisruptionBudgetStatus : OpenRecord
{
    public long? ObservedGeneration { get; init; }
    public int? DisruptionsAllowed { get; init; }
    public int? CurrentHealthy { get; init; }
    public int? DesiredHealthy { get; init; }
    public int? ExpectedPods { get; init; }
    public IReadOnlyList<V1Condition>? Conditions { get; init; }
}

/// <summary>Asks to evict one pod; posted to the pod's <c>eviction</c> subresource.</summary>
public sealed record V1Eviction : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "policy/v1"; init; }
    public string Kind { get => field ?? "Eviction"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1DeleteOptions? DeleteOptions { get; init; }
}
