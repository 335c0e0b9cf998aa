namespace Opt.Kubernetes;

/// <summary>Confidential bytes by key. Its string form shows no values.</summary>
public sealed record V1Secret : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "Secret"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public string? Type { get; init; }
    public IReadOnlyDictionary<string, byte[]>? Data { get; init; }

    /// <summary>Write-only: the server moves it into <see cref="Data"/>.</summary>
    public IReadOnlyDictionary<string, string>? StringData { get; init; }
    public bool? Immutable { get; init; }

    public override string ToString() => $"Secret {Metadata.Namespace}/{Metadata.Name} ({Data?.Count ?? 0} keys)";
}
