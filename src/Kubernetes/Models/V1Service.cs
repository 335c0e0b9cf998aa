namespace Opt.Kubernetes;

/// <summary>A name for a set of pods. <c>clusterIP: None</c> makes it headless.</summary>
public sealed record V1Service : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "Service"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1ServiceSpec? Spec { get; init; }
}

public sealed record V1ServiceSpec : OpenRecord
{
    public IReadOnlyDictionary<string, string>? Selector { get; init; }
    public IReadOnlyList<V1ServicePort>? Ports { get; init; }
    public string? Type { get; init; }
    public string? ClusterIP { get; init; }
    public IReadOnlyList<string>? ClusterIPs { get; init; }
    public bool? PublishNotReadyAddresses { get; init; }
    public IReadOnlyList<string>? IpFamilies { get; init; }
    public string? IpFamilyPolicy { get; init; }
    public string? InternalTrafficPolicy { get; init; }
    public string? SessionAffinity { get; init; }
}

public sealed record V1ServicePort : OpenRecord
{
    public string? Name { get; init; }
    public int? Port { get; init; }
    public IntOrString? TargetPort { get; init; }
    public string? Protocol { get; init; }
    public string? AppProtocol { get; init; }
    public int? NodePort { get; init; }
}
