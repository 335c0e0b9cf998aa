using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>A report about an object (events.k8s.io/v1). Lives about an hour; never decide anything from it.</summary>
public sealed record Eventsv1Event : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "events.k8s.io/v1"; init; }
    public string Kind { get => field ?? "Event"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }

    /// <summary>When it was first seen, to the microsecond.</summary>
    [JsonConverter(typeof(MicroTimeConverter))] public DateTimeOffset? EventTime { get; init; }
    public string? ReportingController { get; init; }
    public string? ReportingInstance { get; init; }

    /// <summary>What was done, in CamelCase, at most 128 characters.</summary>
    public string? Action { get; init; }

    /// <summary>Why, in CamelCase, at most 128 characters.</summary>
    public string? Reason { get; init; }

    /// <summary>The text for people, at most 1024 bytes.</summary>
    public string? Note { get; init; }

    /// <summary><c>Normal</c> or <c>Warning</c>.</summary>
    public string? Type { get; init; }
    public V1ObjectReference? Regarding { get; init; }
    public V1ObjectReference? Related { get; init; }

    /// <summary>Set once the event repeats.</summary>
    public V1EventSeries? Series { get; init; }
}

/// <summary>How often an event happened, and when last.</summary>
public sealed record V1EventSeries : OpenRecord
{
    public int? Count { get; init; }
    [JsonConverter(typeof(MicroTimeConverter))] public DateTimeOffset? LastObservedTime { get; init; }
}
