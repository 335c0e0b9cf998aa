namespace Opt.Kubernetes;

/// <summary>Asks whether a bearer token is valid, and whose it is (authentication.k8s.io/v1).</summary>
public sealed record V1TokenReview : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "authentication.k8s.io/v1"; init; }
    public string Kind { get => field ?? "TokenReview"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1TokenReviewSpec? Spec { get; init; }
    public V1TokenReviewStatus? Status { get; init; }
}

public sealed record V1TokenReviewSpec : OpenRecord
{
    public string? Token { get; init; }
    public IReadOnlyList<string>? Audiences { get; init; }
}

public sealed record V1TokenReviewStatus : OpenRecord
{
    public bool? Authenticated { get; init; }
    public V1UserInfo? User { get; init; }
    public IReadOnlyList<string>? Audiences { get; init; }
    public string? Error { get; init; }
}

public sealed record V1UserInfo : OpenRecord
{
    public string? Username { get; init; }
    public string? Uid { get; init; }
    public IReadOnlyList<string>? Groups { get; init; }
}

/// <summary>Asks whether a user may do something (authorization.k8s.io/v1).</summary>
public sealed record V1SubjectAccessReview : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "authorization.k8s.io/v1"; init; }
    public string Kind { get => field ?? "SubjectAccessReview"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1SubjectAccessReviewSpec? Spec { get; init; }
    public V1SubjectAccessReviewStatus? Status { get; init; }
}

public sealed record V1SubjectAccessReviewSpec : OpenRecord
{
    public string? User { get; init; }
    public string? Uid { get; init; }
    public IReadOnlyList<string>? Groups { get; init; }
    public V1ResourceAttributes? ResourceAttributes { get; init; }
    public V1NonResourceAttributes? NonResourceAttributes { get; init; }
}

/// <summary>Asks whether the caller itself may do something (authorization.k8s.io/v1).</summary>
public sealed record V1SelfSubjectAccessReview : OpenRecord, IKubernetesObject
{
    public string ApiVersion { get => field ?? "authorization.k8s.io/v1"; init; }
    public string Kind { get => field ?? "SelfSubjectAccessReview"; init; }
    public V1ObjectMeta Metadata { get => field ?? new(); init; }
    public V1SelfSubjectAccessReviewSpec? Spec { get; init; }
    public V1SubjectAccessReviewStatus? Status { get; init; }
}

public sealed record V1SelfSubjectAccessReviewSpec : OpenRecord
{
    public V1ResourceAttributes? ResourceAttributes { get; init; }
    public V1NonResourceAttributes? NonResourceAttributes { get; init; }
}

public sealed record V1ResourceAttributes : OpenRecord
{
    public string? Namespace { get; init; }
    public string? Verb { get; init; }
    public string? Group { get; init; }
    public string? Version { get; init; }
    public string? Resource { get; init; }
    public string? Subresource { get; init; }
    public string? Name { get; init; }
}

public sealed record V1NonResourceAttributes : OpenRecord
{
    public string? Path { get; init; }
    public string? Verb { get; init; }
}

public sealed record V1SubjectAccessReviewStatus : OpenRecord
{
    public bool? Allowed { get; init; }
    public bool? Denied { get; init; }
    public string? Reason { get; init; }
    public string? EvaluationError { get; init; }
}
