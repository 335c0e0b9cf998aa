using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Opt.Kubernetes;
using Opt.Operator.Rendering;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>What the operator writes on a StatefulSet beside its spec: how the job ended, that pods are released, since when budgets count.</summary>
internal static class StatefulSetMarks
{
    public static StatefulSetState Read(V1StatefulSet set)
    {
        var marks = set.Metadata.Annotations ?? new Dictionary<string, string>();
        return new()
        {
            Uid = set.Metadata.Uid!,
            ResourceVersion = set.Metadata.ResourceVersion,
            Replicas = set.Spec?.Replicas ?? 1,
            UpdateRevision = set.Status?.UpdateRevision ?? "",
            IsObserved = set.Status?.UpdateRevision is { Length: > 0 } && set.Status.ObservedGeneration >= set.Metadata.Generation,
            PodDigest = marks.GetValueOrDefault(Names.PodDigestAnnotation) ?? "",
            Outcome = Parse(marks.GetValueOrDefault(Names.OutcomeAnnotation), MarkJson.Default.JobOutcome),
            Release = Parse(marks.GetValueOrDefault(Names.ReleaseAnnotation), MarkJson.Default.Release),
            CountersSince = DateTimeOffset.TryParse(marks.GetValueOrDefault(Names.CountersSinceAnnotation), CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var since) ? since : null,
        };
    }

    /// <summary>Replicas and all marks in one merge patch, for this very StatefulSet as it was seen, and no successor.</summary>
    public static JsonObject Patch(ScaleStatefulSet action) => new()
    {
        ["metadata"] = new JsonObject
        {
            ["uid"] = action.Uid,
            ["resourceVersion"] = action.Version,
            ["annotations"] = new JsonObject
            {
                [Names.OutcomeAnnotation] = action.Outcome is null ? null : JsonSerializer.Serialize(action.Outcome, MarkJson.Default.JobOutcome),
                [Names.ReleaseAnnotation] = action.Release is null ? null : JsonSerializer.Serialize(action.Release, MarkJson.Default.Release),
                [Names.CountersSinceAnnotation] = action.CountersSince?.ToString("O", CultureInfo.InvariantCulture),
            },
        },
        ["spec"] = new JsonObject { ["replicas"] = action.Replicas },
    };

    private static T? Parse<T>(string? text, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return text is null ? null : JsonSerializer.Deserialize(text, type);
        }
        catch (JsonException)
        {
            return null;   // not ours
        }
    }
}

/// <summary>Serializer of the marks.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JobOutcome))]
[JsonSerializable(typeof(Release))]
internal sealed partial class MarkJson : JsonSerializerContext;
