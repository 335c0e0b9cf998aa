namespace Opt.Kubernetes;

/// <summary>Limits of one client. Leases deserve a client of their own, so that a burst of other writes cannot delay a renewal.</summary>
public sealed record KubernetesClientOptions
{
    /// <summary>Recorded by the server as the owner of the fields that this client writes. At most 128 characters.</summary>
    public string FieldManager { get; init; } = "opt-kubernetes";

    public string UserAgent { get; init; } = "opt-kubernetes/0.1";

    /// <summary>Requests a second, on average.</summary>
    public double QueriesPerSecond { get; init; } = 50;

    /// <summary>Requests that may go out at once after a quiet time.</summary>
    public int Burst { get; init; } = 100;

    /// <summary>For one call, its retries included. Watches and followed logs are exempt: they have <see cref="WatchIdleTimeout"/>.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For one attempt, so that one stalled connection does not eat the whole <see cref="RequestTimeout"/>.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A watch that is silent for longer is cut and resumed. Servers send a bookmark about every minute.</summary>
    public TimeSpan WatchIdleTimeout { get; init; } = TimeSpan.FromSeconds(150);

    /// <summary>Attempts of one call, the first included.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>The first back-off between attempts; it doubles up to <see cref="RetryDelayCap"/>, with full jitter.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    public TimeSpan RetryDelayCap { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Retries the client has in hand. Each costs one and ten successful requests earn one back, so that a server in trouble
    /// sees at most a tenth more load from retries.
    /// </summary>
    public int RetryBudget { get; init; } = 20;

    /// <summary>Jitter in [0, 1); tests pass a seeded one.</summary>
    public Func<double> Random { get; init; } = System.Random.Shared.NextDouble;

    /// <summary>The first field that is out of range, in words.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Names field, value and what is allowed.</exception>
    public KubernetesClientOptions Validate()
    {
        Require(FieldManager.Length is > 0 and <= 128, nameof(FieldManager), FieldManager, "1 to 128 characters");
        Require(QueriesPerSecond > 0, nameof(QueriesPerSecond), QueriesPerSecond, "above 0");
        Require(Burst >= 1, nameof(Burst), Burst, "at least 1");
        Require(RequestTimeout > TimeSpan.Zero, nameof(RequestTimeout), RequestTimeout, "above 0");
        Require(AttemptTimeout > TimeSpan.Zero, nameof(AttemptTimeout), AttemptTimeout, "above 0");
        Require(WatchIdleTimeout > TimeSpan.Zero, nameof(WatchIdleTimeout), WatchIdleTimeout, "above 0");
        Require(MaxAttempts >= 1, nameof(MaxAttempts), MaxAttempts, "at least 1");
        Require(RetryBudget >= 0, nameof(RetryBudget), RetryBudget, "at least 0");
        return this;
    }

    private static void Require(bool holds, string field, object value, string allowed)
    {
        if (!holds) throw new ArgumentOutOfRangeException(field, value, $"{field} is {value}; allowed: {allowed}.");
    }
}
