namespace Opt.Kubernetes;

/// <summary>Configuration as keys and texts; at most 1 MiB in all.</summary>
public sealed record V1ConfigMap : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "ConfigMap"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public IReadOnlyDictionary<string, string>? Data { get; init; }
    public IReadOnlyDictionary<string, byte[]>? BinaryData { get; init; }

    /// <summary>True forbids every later change of data; only deletion is left.</summary>
    public bool? Immutable { get; init; }
}
