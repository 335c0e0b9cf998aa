namespace Opt.Kubernetes;

/// <summary>A volume of a pod; exactly one source is set (sources not modelled here stay in the unknown fields).</summary>
public sealed record V1Volume : OpenRecord
{
    public string? Name { get; init; }
    public V1EmptyDirVolumeSource? EmptyDir { get; init; }
    public V1HostPathVolumeSource? HostPath { get; init; }
    public V1ConfigMapVolumeSource? ConfigMap { get; init; }
    public V1SecretVolumeSource? Secret { get; init; }
    public V1DownwardAPIVolumeSource? DownwardAPI { get; init; }
    public V1ProjectedVolumeSource? Projected { get; init; }
    public V1PersistentVolumeClaimVolumeSource? PersistentVolumeClaim { get; init; }
}

public sealed record V1EmptyDirVolumeSource : OpenRecord
{
    public string? Medium { get; init; }
    public ResourceQuantity? SizeLimit { get; init; }
}

public sealed record V1HostPathVolumeSource : OpenRecord
{
    public string? Path { get; init; }
    public string? Type { get; init; }
}

public sealed record V1ConfigMapVolumeSource : OpenRecord
{
    public string? Name { get; init; }
    public IReadOnlyList<V1KeyToPath>? Items { get; init; }
    public int? DefaultMode { get; init; }
    public bool? Optional { get; init; }
}

public sealed record V1SecretVolumeSource : OpenRecord
{
    public string? SecretName { get; init; }
    public IReadOnlyList<V1KeyToPath>? Items { get; init; }
    public int? DefaultMode { get; init; }
    public bool? Optional { get; init; }
}

public sealed record V1KeyToPath : OpenRecord
{
    public string? Key { get; init; }
    public string? Path { get; init; }
    public int? Mode { get; init; }
}

public sealed record V1DownwardAPIVolumeSource : OpenRecord
{
    public IReadOnlyList<V1DownwardAPIVolumeFile>? Items { get; init; }
    public int? DefaultMode { get; init; }
}

public sealed record V1DownwardAPIVolumeFile : OpenRecord
{
    public string? Path { get; init; }
    public V1ObjectFieldSelector? FieldRef { get; init; }
    public V1ResourceFieldSelector? ResourceFieldRef { get; init; }
    public int? Mode { get; init; }
}

public sealed record V1ProjectedVolumeSource : OpenRecord
{
    public IReadOnlyList<V1VolumeProjection>? Sources { get; init; }
    public int? DefaultMode { get; init; }
}

public sealed record V1VolumeProjection : OpenRecord
{
    public V1NamedProjection? ConfigMap { get; init; }
    public V1NamedProjection? Secret { get; init; }
    public V1DownwardAPIProjection? DownwardAPI { get; init; }
    public V1ServiceAccountTokenProjection? ServiceAccountToken { get; init; }
}

/// <summary>Keys of a config map or secret as files of a projected volume.</summary>
public sealed record V1NamedProjection : OpenRecord
{
    public string? Name { get; init; }
    public IReadOnlyList<V1KeyToPath>? Items { get; init; }
    public bool? Optional { get; init; }
}

public sealed record V1DownwardAPIProjection : OpenRecord
{
    public IReadOnlyList<V1DownwardAPIVolumeFile>? Items { get; init; }
}

public sealed record V1ServiceAccountTokenProjection : OpenRecord
{
    public string? Audience { get; init; }
    public long? ExpirationSeconds { get; init; }
    public string? Path { get; init; }
}

public sealed record V1PersistentVolumeClaimVolumeSource : OpenRecord
{
    public string? ClaimName { get; init; }
    public bool? ReadOnly { get; init; }
}
