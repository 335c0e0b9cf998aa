using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Jobs;

namespace Opt.Operator.Checkpoints;

/// <summary>An <see cref="OptCheckpoint"/> as it stands on the wire. Spec and status stay JSON until they are looked at, since another version may have written them.</summary>
public sealed record CheckpointObject : OpenRecord, IKubernetesObject
{
    public static readonly ResourceDefinition<CheckpointObject> Definition =
        Resources.Of(OptTrainingJob.Group, OptTrainingJob.Version, OptCheckpoint.KindName, OptCheckpoint.Plural, CheckpointObjectJson.Default.CheckpointObject);

    public string ApiVersion { get => field ?? $"{OptTrainingJob.Group}/{OptTrainingJob.Version}"; init; }
    public string Kind { get => field ?? OptCheckpoint.KindName; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public JsonObject? Spec { get; init; }
    public JsonObject? Status { get; init; }

    /// <summary>What is asked; nothing where it cannot be read.</summary>
    public OptCheckpointSpec ReadSpec() => Spec.ReadOrNull(SpecJson.Default.OptCheckpointSpec) ?? new();

    /// <summary>The status; null when there is none that can be read: it is written anew.</summary>
    public OptCheckpointStatus? ReadStatus() => Status.ReadOrNull(SpecJson.Default.OptCheckpointStatus);
}

/// <summary>Serializer of <see cref="CheckpointObject"/>, with the options the Kubernetes library asks for.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CheckpointObject))]
internal sealed partial class CheckpointObjectJson : JsonSerializerContext;
