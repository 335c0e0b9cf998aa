using System.Text.Json.Serialization;

namespace Opt.Kubernetes.Tests;

/// <summary>What a consumer's serializer context looks like, with a custom kind.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(V1EmptyDirVolumeSource))]
[JsonSerializable(typeof(Gadget))]
[JsonSerializable(typeof(PlainGadget))]
internal sealed partial class TestJson : JsonSerializerContext;

/// <summary>A custom kind as a consumer would write it.</summary>
internal sealed record Gadget : OpenRecord, IKubernetesObject
{
    public static readonly ResourceDefinition<Gadget> Resource = Resources.Of("example.com", "v1", "Gadget", "gadgets", TestJson.Default.Gadget);

    public string ApiVersion { get => field ?? "example.com/v1"; init; }
    public string Kind { get => field ?? "Gadget"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public GadgetSpec? Spec { get; init; }
}

internal sealed record GadgetSpec
{
    public int Size { get; init; }
}

/// <summary>A kind that knows nothing of this library: metadata of its own, no type fields.</summary>
internal sealed record PlainGadget
{
    public static readonly ResourceDefinition<PlainGadget> Resource =
        new("example.com", "v1", "Gadget", "gadgets", true, TestJson.Default.PlainGadget, static g => new() { Name = g.Metadata.Name, Namespace = g.Metadata.Namespace, ResourceVersion = g.Metadata.ResourceVersion });

    public required PlainMetadata Metadata { get; init; }
}

internal sealed record PlainMetadata(string Name, string Namespace, string? ResourceVersion);
