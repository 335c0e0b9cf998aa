using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>
/// Serializers of the library's kinds. A consumer's own context must carry the same two options, so that its kinds are written the
/// way the API wants: camelCase names, and absent instead of null.
/// </summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(V1Pod))]
[JsonSerializable(typeof(V1PodTemplateSpec))]
[JsonSerializable(typeof(V1Node))]
[JsonSerializable(typeof(V1Service))]
[JsonSerializable(typeof(V1Secret))]
[JsonSerializable(typeof(V1ConfigMap))]
[JsonSerializable(typeof(V1ServiceAccount))]
[JsonSerializable(typeof(V1Namespace))]
[JsonSerializable(typeof(V1StatefulSet))]
[JsonSerializable(typeof(V1ControllerRevision))]
[JsonSerializable(typeof(V1PodDisruptionBudget))]
[JsonSerializable(typeof(V1Eviction))]
[JsonSerializable(typeof(V1Lease))]
[JsonSerializable(typeof(Eventsv1Event))]
[JsonSerializable(typeof(V1TokenReview))]
[JsonSerializable(typeof(V1SubjectAccessReview))]
[JsonSerializable(typeof(V1SelfSubjectAccessReview))]
[JsonSerializable(typeof(V1Scale))]
[JsonSerializable(typeof(V1Status))]
[JsonSerializable(typeof(V1DeleteOptions))]
[JsonSerializable(typeof(V1ListMeta))]
public sealed partial class KubernetesJson : JsonSerializerContext;

/// <summary>What only the library itself reads, and free-form JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PartialObject))]
[JsonSerializable(typeof(ExecCredentialAnswer))]
[JsonSerializable(typeof(JsonNode))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class InternalJson : JsonSerializerContext;
