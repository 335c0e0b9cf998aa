namespace Opt.Kubernetes;

/// <summary>A scope for names.</summary>
public sealed record V1Namespace : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "Namespace"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1NamespaceSpec? Spec { get; init; }
    public V1NamespaceStatus? Status { get; init; }
}

public sealed record V1NamespaceSpec : OpenRecord
{
    public IReadOnlyList<string>? Finalizers { get; init; }
}

public sealed record V1NamespaceStatus : OpenRecord
{
    public string? Phase { get; init; }
    public IReadOnlyList<V1Condition>? Conditions { get; init; }
}
