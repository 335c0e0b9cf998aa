using System.Text.Json;
using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>Metadata that every persisted object has.</summary>
public sealed record V1ObjectMeta : OpenRecord
{
    public string? Name { get; init; }
    public string? GenerateName { get; init; }
    public string? Namespace { get; init; }
    public string? Uid { get; init; }
    public string? ResourceVersion { get; init; }
    public long? Generation { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? CreationTimestamp { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? DeletionTimestamp { get; init; }
    public long? DeletionGracePeriodSeconds { get; init; }
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
    public IReadOnlyDictionary<string, string>? Annotations { get; init; }
    public IReadOnlyList<V1OwnerReference>? OwnerReferences { get; init; }
    public IReadOnlyList<string>? Finalizers { get; init; }
    public IReadOnlyList<V1ManagedFieldsEntry>? ManagedFields { get; init; }

    /// <summary>The owner whose <c>controller</c> field is true, if any. There is at most one.</summary>
    public V1OwnerReference? ControllerOwner() => OwnerReferences?.FirstOrDefault(o => o.Controller == true);
}

/// <summary>Names the object that this one belongs to; garbage collection follows it by uid.</summary>
public sealed record V1OwnerReference : OpenRecord
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public string? Name { get; init; }
    public string? Uid { get; init; }
    public bool? Controller { get; init; }
    public bool? BlockOwnerDeletion { get; init; }
}

/// <summary>Which manager owns which fields, as the server recorded it.</summary>
public sealed record V1ManagedFieldsEntry : OpenRecord
{
    public string? Manager { get; init; }
    public string? Operation { get; init; }
    public string? ApiVersion { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? Time { get; init; }
    public string? FieldsType { get; init; }
    public JsonElement? FieldsV1 { get; init; }
    public string? Subresource { get; init; }
}

/// <summary>Metadata of a list: the version it was read at and, when it was cut into pages, how to go on.</summary>
public sealed record V1ListMeta : OpenRecord
{
    public string? ResourceVersion { get; init; }
    public string? Continue { get; init; }
    public long? RemainingItemCount { get; init; }
}

/// <summary>A list as the API serves it, for kinds whose list type is registered with a serializer context of the consumer.</summary>
public sealed record KubernetesList<T>(IReadOnlyList<T> Items, V1ListMeta Metadata);
