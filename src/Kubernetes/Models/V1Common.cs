using System.Text.Json.Serialization;

namespace Opt.Kubernetes;

/// <summary>A condition in the shape that all newer kinds share (meta/v1).</summary>
public sealed record V1Condition : OpenRecord
{
    public string? Type { get; init; }
    public string? Status { get; init; }
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public long? ObservedGeneration { get; init; }
    [JsonConverter(typeof(TimeConverter))] public DateTimeOffset? LastTransitionTime { get; init; }
}

/// <summary>Selects by labels. An empty selector selects everything, a null one nothing.</summary>
public sealed record V1LabelSelector : OpenRecord
{
    public IReadOnlyDictionary<string, string>? MatchLabels { get; init; }
    public IReadOnlyList<V1LabelSelectorRequirement>? MatchExpressions { get; init; }
}

public sealed record V1LabelSelectorRequirement : OpenRecord
{
    public string? Key { get; init; }
    public string? Operator { get; init; }
    public IReadOnlyList<string>? Values { get; init; }
}

/// <summary>Names any object; used by events and bindings.</summary>
public sealed record V1ObjectReference : OpenRecord
{
    public string? ApiVersion { get; init; }
    public string? Kind { get; init; }
    public string? Namespace { get; init; }
    public string? Name { get; init; }
    public string? Uid { get; init; }
    public string? ResourceVersion { get; init; }
    public string? FieldPath { get; init; }
}

/// <summary>Names an object of a known kind in the same namespace.</summary>
public sealed record V1LocalObjectReference : OpenRecord
{
    public string? Name { get; init; }
}

/// <summary>The answer to a request that returns no object: success of a delete, or why something was refused.</summary>
public sealed record V1Status : OpenRecord
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "Status"; init; }
    public V1ListMeta? Metadata { get; init; }
    public string? Status { get; init; }
    public string? Message { get; init; }
    public string? Reason { get; init; }
    public V1StatusDetails? Details { get; init; }
    public int? Code { get; init; }
}

public sealed record V1StatusDetails : OpenRecord
{
    public string? Name { get; init; }
    public string? Group { get; init; }
    public string? Kind { get; init; }
    public string? Uid { get; init; }
    public IReadOnlyList<V1StatusCause>? Causes { get; init; }
    public int? RetryAfterSeconds { get; init; }
}

public sealed record V1StatusCause : OpenRecord
{
    public string? Reason { get; init; }
    public string? Message { get; init; }
    public string? Field { get; init; }
}

/// <summary>What a delete asks for.</summary>
public sealed record V1DeleteOptions : OpenRecord
{
    public string ApiVersion { get => field ?? "v1"; init; }
    public string Kind { get => field ?? "DeleteOptions"; init; }
    public V1Preconditions? Preconditions { get; init; }
    public long? GracePeriodSeconds { get; init; }

    /// <summary><c>Background</c>, <c>Foreground</c> or <c>Orphan</c>.</summary>
    public string? PropagationPolicy { get; init; }
    public IReadOnlyList<string>? DryRun { get; init; }
}

/// <summary>The object must still be this one, or the request is refused with 409.</summary>
public sealed record V1Preconditions : OpenRecord
{
    public string? Uid { get; init; }
    public string? ResourceVersion { get; init; }
}

/// <summary>The scale subresource (autoscaling/v1).</summary>
public sealed record V1Scale : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "autoscaling/v1"; init; }
    public string Kind { get => field ?? "Scale"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1ScaleSpec? Spec { get; init; }
    public V1ScaleStatus? Status { get; init; }
}

public sealed record V1ScaleSpec : OpenRecord
{
    public int? Replicas { get; init; }
}

public sealed record V1ScaleStatus : OpenRecord
{
    public int? Replicas { get; init; }
    public string? Selector { get; init; }
}
