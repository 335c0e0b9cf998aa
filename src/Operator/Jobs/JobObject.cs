using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;

namespace Opt.Operator.Jobs;

/// <summary>
/// An OptTrainingJob as it stands on the wire. Spec and status stay JSON until they are looked at: a spec that slipped past validation must
/// be readable enough to say what is wrong with it.
/// </summary>
public sealed record JobObject : OpenRecord, IKubernetesObject
{
    public static readonly ResourceDefinition<JobObject> Definition =
        Resources.Of(OptTrainingJob.Group, OptTrainingJob.Version, OptTrainingJob.KindName, OptTrainingJob.Plural, JobJson.Default.JobObject);

    public string ApiVersion { get => field ?? $"{OptTrainingJob.Group}/{OptTrainingJob.Version}"; init; }
    public string Kind { get => field ?? OptTrainingJob.KindName; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public JsonObject? Spec { get; init; }
    public JsonObject? Status { get; init; }

    [JsonIgnore]
    public ObjectKey Key => ObjectKey.Of(Metadata);

    public JobMetadata ToMetadata() => new()
    {
        Name = Metadata.Name!,
        Namespace = Metadata.Namespace!,
        Uid = Metadata.Uid!,
        Generation = Metadata.Generation ?? 0,
        CreationTimestamp = Metadata.CreationTimestamp,
        DeletionTimestamp = Metadata.DeletionTimestamp,
        Requests = [.. (Metadata.Annotations ?? new Dictionary<string, string>()).OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => JobRequest.Read(a.Key, a.Value)).OfType<JobRequest>()],
    };

    /// <summary>The status, or null when there is none or it cannot be read: it is a cache, and is written anew.</summary>
    public OptTrainingJobStatus? ReadStatus() => Status.ReadOrNull(SpecJson.Default.OptTrainingJobStatus);
}

/// <summary>Serializer of <see cref="JobObject"/>, with the options the Kubernetes library asks for.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JobObject))]
internal sealed partial class JobJson : JsonSerializerContext;
