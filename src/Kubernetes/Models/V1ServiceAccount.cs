namespace Opt.Kubernetes;

/// <summary>An identity for pods.</summary>
public sealed record V1ServiceAccount : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "ServiceAccount"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public IReadOnlyList<V1LocalObjectReference>? ImagePullSecrets { get; init; }
    public bool? AutomountServiceAccountToken { get; init; }
}
