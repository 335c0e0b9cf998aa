namespace Opt.Kubernetes;

/// <summary>A rate limit: <c>rate</c> permits a second on average, at most <c>burst</c> at once. Callers are served in order of arrival.</summary>
public sealed class TokenBucket
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _clock;
    private readonly double _rate;
    private readonly double _burst;
    private double _tokens;   // negative: permits promised to callers that still wait
    private long _stamp;

    public TokenBucket(double ratePerSecond, int burst, TimeProvider clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(ratePerSecond);
        ArgumentOutOfRangeException.ThrowIfLessThan(burst, 1);
        (_clock, _rate, _burst, _tokens, _stamp) = (clock, ratePerSecond, burst, burst, clock.GetTimestamp());
    }

    /// <summary>Takes a permit if there is one now.</summary>
    public bool TryTake()
    {
        lock (_gate)
        {
            Refill();
            if (_tokens < 1) return false;
            _tokens -= 1;
            return true;
        }
    }

    /// <summary>Takes a permit and says how long to wait before using it.</summary>
    public TimeSpan Reserve()
    {
        lock (_gate)
        {
            Refill();
            _tokens -= 1;
            return _tokens >= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(-_tokens / _rate);
        }
    }

    /// <summary>Waits for a permit. A cancelled wait gives its permit back.</summary>
    public async Task WaitAsync(CancellationToken ct)
    {
        var wait = Reserve();
        if (wait <= TimeSpan.Zero) return;
        try
        {
            await Task.Delay(wait, _clock, ct);
        }
        catch (OperationCanceledException)
        {
            lock (_gate) _tokens += 1;
            throw;
        }
    }

    private void Refill()
    {
        var now = _clock.GetTimestamp();
        _tokens = Math.Min(_burst, _tokens + _clock.GetElapsedTime(_stamp, now).TotalSeconds * _rate);
        _stamp = now;
    }
}
