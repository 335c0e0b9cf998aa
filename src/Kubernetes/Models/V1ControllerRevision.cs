using System.Text.Json;

namespace Opt.Kubernetes;

/// <summary>An immutable snapshot of a workload's template.</summary>
public sealed record V1ControllerRevision : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "apps/v1"; init; }
    public string Kind { get => field ?? "ControllerRevision"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public long? Revision { get; init; }
    public JsonElement? Data { get; init; }
}
