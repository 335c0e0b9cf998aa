namespace Opt.Kubernetes;

/// <summary>Where a pod may or would rather run, by nodes and by other pods.</summary>
public sealed record V1Affinity : OpenRecord
{
    public V1NodeAffinity? NodeAffinity { get; init; }
    public V1PodAffinity? PodAffinity { get; init; }
    public V1PodAntiAffinity? PodAntiAffinity { get; init; }
}

public sealed record V1NodeAffinity : OpenRecord
{
    public V1NodeSelector? RequiredDuringSchedulingIgnoredDuringExecution { get; init; }
    public IReadOnlyList<V1PreferredSchedulingTerm>? PreferredDuringSchedulingIgnoredDuringExecution { get; init; }
}

/// <summary>Terms are alternatives; the requirements inside a term must all hold.</summary>
public sealed record V1NodeSelector : OpenRecord
{
    public IReadOnlyList<V1NodeSelectorTerm>? NodeSelectorTerms { get; init; }
}

public sealed record V1NodeSelectorTerm : OpenRecord
{
    public IReadOnlyList<V1NodeSelectorRequirement>? MatchExpressions { get; init; }
    public IReadOnlyList<V1NodeSelectorRequirement>? MatchFields { get; init; }
}

public sealed record V1NodeSelectorRequirement : OpenRecord
{
    public string? Key { get; init; }
    public string? Operator { get; init; }
    public IReadOnlyList<string>? Values { get; init; }
}

public sealed record V1PreferredSchedulingTerm : OpenRecord
{
    public int? Weight { get; init; }
    public V1NodeSelectorTerm? Preference { get; init; }
}

public sealed record V1PodAffinity : OpenRecord
{
    public IReadOnlyList<V1PodAffinityTerm>? RequiredDuringSchedulingIgnoredDuringExecution { get; init; }
    public IReadOnlyList<V1WeightedPodAffinityTerm>? PreferredDuringSchedulingIgnoredDuringExecution { get; init; }
}

public sealed record V1PodAntiAffinity : OpenRecord
{
    public IReadOnlyList<V1PodAffinityTerm>? RequiredDuringSchedulingIgnoredDuringExecution { get; init; }
    public IReadOnlyList<V1WeightedPodAffinityTerm>? PreferredDuringSchedulingIgnoredDuringExecution { get; init; }
}

public sealed record V1PodAffinityTerm : OpenRecord
{
    public V1LabelSelector? LabelSelector { get; init; }
    public string? TopologyKey { get; init; }
    public IReadOnlyList<string>? Namespaces { get; init; }
    public V1LabelSelector? NamespaceSelector { get; init; }
}

public sealed record V1WeightedPodAffinityTerm : OpenRecord
{
    public int? Weight { get; init; }
    public V1PodAffinityTerm? PodAffinityTerm { get; init; }
}

public sealed record V1Toleration : OpenRecord
{
    public string? Key { get; init; }
    public string? Operator { get; init; }
    public string? Value { get; init; }
    public string? Effect { get; init; }

    /// <summary>Seconds; null tolerates without limit.</summary>
    public long? TolerationSeconds { get; init; }
}

public sealed record V1TopologySpreadConstraint : OpenRecord
{
    public int? MaxSkew { get; init; }
    public string? TopologyKey { get; init; }
    public string? WhenUnsatisfiable { get; init; }
    public V1LabelSelector? LabelSelector { get; init; }
    public int? MinDomains { get; init; }
}
