using System.Collections.Immutable;

namespace Opt.Kubernetes;

/// <summary>What an informer follows.</summary>
public sealed record InformerOptions<T> where T : class
{
    /// <summary>Null follows all namespaces.</summary>
    public string? Namespace { get; init; }
    public string? LabelSelector { get; init; }
    public string? FieldSelector { get; init; }
    public int PageSize { get; init; } = 500;

    /// <summary>Ask the server to stream its current state. Servers that do not (before 1.32) are noticed and read by pages.</summary>
    public bool StreamInitialState { get; init; } = true;

    /// <summary>See <see cref="Opt.Kubernetes.Indexes"/>.</summary>
    public IReadOnlyDictionary<string, Func<T, IEnumerable<string>>> Indexes { get; init; } = ImmutableDictionary<string, Func<T, IEnumerable<string>>>.Empty;

    /// <summary>
    /// Applied to each object before it is stored, to drop what nobody here reads (managed fields are half of a pod).
    /// Must keep name, namespace, uid and resourceVersion.
    /// </summary>
    public Func<T, T>? Transform { get; init; }

    /// <summary>The first wait after a failure; it doubles up to <see cref="BackoffCap"/>, with jitter.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(500);
    public TimeSpan BackoffCap { get; init; } = TimeSpan.FromSeconds(30);
}
