using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Opt.LocalCluster.ApiServer;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>
/// One controller's queue and worker: one entry a key, the sooner time wins, one key at a time, failures come back later and later.
/// </summary>
internal sealed partial class ControllerLoop<TKey>(
    string name, Func<TKey, CancellationToken, Task<TimeSpan?>> reconcile, Activity activity, TimeProvider clock, ILogger logger)
    where TKey : notnull
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);
    private readonly Lock _gate = new();
    private readonly HashSet<TKey> _queued = [];
    private readonly Channel<TKey> _ready = Channel.CreateUnbounded<TKey>(new() { SingleReader = true });
    private readonly Dictionary<TKey, (DateTimeOffset Due, ITimer Timer)> _later = [];
    private readonly Dictionary<TKey, int> _failures = [];

    public void Enqueue(TKey key)
    {
        lock (_gate)
        {
            if (!_queued.Add(key)) return;
            if (_later.Remove(key, out var later)) later.Timer.Dispose();
            activity.Begin();
            _ready.Writer.TryWrite(key);
        }
    }

    public void Enqueue(TKey key, TimeSpan after)
    {
        if (after <= TimeSpan.Zero)
        {
            Enqueue(key);
            return;
        }

        lock (_gate)
        {
            var due = clock.GetUtcNow() + after;
            if (_queued.Contains(key) || (_later.TryGetValue(key, out var sooner) && sooner.Due <= due)) return;
            sooner.Timer?.Dispose();
            _later[key] = (due, clock.CreateTimer(_ => Enqueue(key), null, after, Timeout.InfiniteTimeSpan));
        }
    }

    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            await foreach (var key in _ready.Reader.ReadAllAsync(ct))
            {
                lock (_gate) _queued.Remove(key);   // a change from here on queues it again
                await RunOneAsync(key, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
    }

    private async Task RunOneAsync(TKey key, CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(Deadline, clock);
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            var again = await reconcile(key, attempt.Token);
            _failures.Remove(key);
            if (again is { } after) Enqueue(key, after);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            if (e is not ApiException { Code: 409 }) Log.Failed(logger, e, name, key.ToString()!);
            Enqueue(key, Backoff(key));
        }
        finally
        {
            activity.End();
        }
    }

    private TimeSpan Backoff(TKey key)
    {
        var failures = _failures[key] = _failures.GetValueOrDefault(key) + 1;
        return TimeSpan.FromTicks(Math.Min(LongestBackoff.Ticks, FirstBackoff.Ticks << Math.Min(failures - 1, 20)));
    }

    private static partial class Log
    {
        [LoggerMessage(4002, LogLevel.Warning, "{Controller}: {Key} will be tried again")]
        public static partial void Failed(ILogger logger, Exception error, string controller, string key);
    }
}
