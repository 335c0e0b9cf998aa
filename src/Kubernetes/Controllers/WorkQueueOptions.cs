namespace Opt.Kubernetes;

/// <summary>How failed keys come back.</summary>
public sealed record WorkQueueOptions
{
    /// <summary>After the first failure; it doubles with each further one.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(10);

    public TimeSpan BackoffCap { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Failed keys of all kinds together that come back a second, so that many keys failing together do not storm the server.</summary>
    public double RetriesPerSecond { get; init; } = 10;

    public int RetryBurst { get; init; } = 100;

    /// <summary>Jitter in [0, 1): a back-off is between half of its value and the whole.</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;
}
