namespace Opt.Trainer.Stores;

/// <summary>
/// Repeats a request on transient faults: exponential pauses with full jitter, a deadline for each try, and a budget shared by all
/// requests of one store (a token bucket: each first try earns a fifth of a retry).
/// </summary>
public sealed class RetryPolicy(RetryOptions options, TimeProvider time, Func<double> jitter)
{
    private const double EarnedByRequest = 0.2;
    private readonly Lock _gate = new();
    private double _tokens = options.Budget;

    public RetryOptions Options => options;

    public TimeProvider Time => time;

    /// <param name="what">Names the request in messages.</param>
    /// <exception cref="StoreException">The last fault, when it is not transient or no tries are left.</exception>
    /// <exception cref="OperationCanceledException">Only when <paramref name="ct"/> is cancelled.</exception>
    public async Task<T> ExecuteAsync<T>(string what, Func<CancellationToken, Task<T>> request, CancellationToken ct)
    {
        Earn();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryAsync(what, request, ct);
            }
            catch (StoreException e) when (e.Fault == StoreFault.Transient && attempt < options.Attempts && TrySpend())
            {
                await Task.Delay(Delay(attempt, e.RetryAfter), time, ct);
            }
        }
    }

    /// <summary>Pause after try number <paramref name="attempt"/>: uniform in (0, first * 2^attempt), at most the longest.</summary>
    internal TimeSpan Delay(int attempt, TimeSpan? asked)
    {
        var ceiling = Math.Min(options.LongestDelay.TotalSeconds, options.FirstDelay.TotalSeconds * Math.Pow(2, attempt));
        var drawn = TimeSpan.FromSeconds(Math.Max(0.001, ceiling * jitter()));
        return asked > drawn ? (asked.Value < options.LongestDelay ? asked.Value : options.LongestDelay) : drawn;
    }

    private async Task<T> TryAsync<T>(string what, Func<CancellationToken, Task<T>> request, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(options.AttemptTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            return await request(both.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new StoreException(StoreFault.Transient, $"{what}: no answer within {options.AttemptTimeout.TotalSeconds:0.#} s", e);
        }
    }

    private void Earn()
    {
        lock (_gate) _tokens = Math.Min(options.Budget, _tokens + EarnedByRequest);
    }

    private bool TrySpend()
    {
        lock (_gate)
        {
            if (_tokens < 1) return false;
            _tokens--;
            return true;
        }
    }
}
