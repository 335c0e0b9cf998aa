namespace Opt.Kubernetes;

/// <summary>When a failed request may be sent again.</summary>
internal enum Repeat
{
    /// <summary>Repeating does no harm: reads, replaces by version, deletes, server-side applies.</summary>
    Safe,

    /// <summary>Only if the server certainly did not act: creates and plain patches.</summary>
    IfNotProcessed,

    /// <summary>The answer is for the caller: an eviction's 429 is a decision, not a load problem.</summary>
    Never,
}

/// <summary>One failed attempt, as the policy sees it. <paramref name="NeverSent"/>: the connection could not even be made.</summary>
internal readonly record struct FailedAttempt(int Code, TimeSpan? RetryAfter, bool NeverSent);

/// <summary>Decides on retries; pure.</summary>
internal static class RetryPolicy
{
    /// <summary>The time to wait before attempt <paramref name="attempt"/> + 1, or null to give up. Attempts count from 1.</summary>
    public static TimeSpan? Decide(FailedAttempt failed, Repeat repeat, int attempt, KubernetesClientOptions options)
    {
        if (attempt >= options.MaxAttempts || !MayRepeat(failed, repeat)) return null;
        return failed.RetryAfter is { } asked ? asked + Backoff(1, options) : Backoff(attempt, options);
    }

    private static bool MayRepeat(FailedAttempt failed, Repeat repeat) => repeat switch
    {
        Repeat.Never => false,
        _ when failed.NeverSent || failed.Code == 429 => true,
        _ when failed is { Code: 503, RetryAfter: not null } => true,
        Repeat.Safe => failed.Code is 0 or >= 500,
        _ => false,
    };

    private static TimeSpan Backoff(int attempt, KubernetesClientOptions options)
    {
        var full = Math.Min(options.RetryDelayCap.TotalSeconds, options.RetryDelay.TotalSeconds * Math.Pow(2, attempt - 1));
        return TimeSpan.FromSeconds(full * options.Random());
    }
}

/// <summary>Bounds retries to a share of the successful requests. Thread-safe.</summary>
internal sealed class RetryBudget(int capacity)
{
    private readonly Lock _gate = new();
    private double _left = capacity;

    public bool TrySpend()
    {
        lock (_gate)
        {
            if (_left < 1) return false;
            _left -= 1;
            return true;
        }
    }

    public void Earn()
    {
        lock (_gate) _left = Math.Min(capacity, _left + 0.1);
    }
}
