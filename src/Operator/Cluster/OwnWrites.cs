namespace Opt.Operator.Cluster;

/// <summary>Waits until the informers show what the operator itself wrote, so that the next decision does not repeat it.</summary>
internal static class OwnWrites
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(10);

    /// <summary>A watch that lags must not hold the job up for ever: the pass fails and comes back.</summary>
    /// <exception cref="TimeoutException">The watch did not show it in time.</exception>
    public static async Task SeenAsync(Func<CancellationToken, Task> seen, TimeProvider clock, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(Within, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            await seen(either.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"the watch has not shown an own write for {Within.TotalSeconds:0} s");
        }
    }
}
