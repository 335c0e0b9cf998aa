namespace Opt.Kubernetes;

/// <summary>
/// Keys that wait to be worked on. A key is in it at most once, and the sooner of two times wins; a key that is being worked on is not handed
/// out again until it is done. One timer waits for the earliest key. Thread-safe.
/// </summary>
public sealed class WorkQueue<TKey> : IDisposable where TKey : notnull
{
    private static readonly TimeSpan ChangedBackoffCap = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();
    private readonly TimeProvider _clock;
    private readonly WorkQueueOptions _options;
    private readonly TokenBucket _retries;
    private readonly ITimer _timer;
    private readonly PriorityQueue<TKey, (long Due, long Order)> _heap = new();
    private readonly Dictionary<TKey, long> _due = [];   // the truth; the heap also holds entries that were superseded
    private readonly HashSet<TKey> _running = [];
    private readonly Dictionary<TKey, int> _failures = [];
    private readonly Queue<TaskCompletionSource<TKey>> _takers = new();
    private readonly List<TaskCompletionSource> _idlers = [];
    private long _order;

    public WorkQueue(TimeProvider clock, WorkQueueOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        (_clock, _options) = (clock, options ?? new());
        _retries = new(_options.RetriesPerSecond, _options.RetryBurst, clock);
        _timer = clock.CreateTimer(static queue => ((WorkQueue<TKey>)queue!).HandOut(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Keys waiting, due or not; those being worked on do not count.</summary>
    public int Count
    {
        get { lock (_gate) return _due.Count; }
    }

    /// <summary>Keys that are due and wait for a worker: the queue's depth.</summary>
    public int Due
    {
        get
        {
            var now = _clock.GetTimestamp();
            lock (_gate) return _due.Values.Count(due => due <= now);
        }
    }

    /// <summary>Keys being worked on.</summary>
    public int Running
    {
        get { lock (_gate) return _running.Count; }
    }

    /// <summary>Makes the key due after <paramref name="after"/>, unless it is due sooner already.</summary>
    public void Add(TKey key, TimeSpan after = default)
    {
        lock (_gate) Schedule(key, after);
        HandOut();
    }

    /// <summary>The next due key. The caller must end it with <see cref="Done"/> or <see cref="Failed"/>.</summary>
    public Task<TKey> TakeAsync(CancellationToken ct)
    {
        var taker = new TaskCompletionSource<TKey>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _takers.Enqueue(taker);
        HandOut();
        return taker.Task.IsCompleted ? taker.Task : CancellableAsync(taker, ct);
    }

    /// <summary>Worked on with success: its failures are forgotten. If it was added meanwhile, it is due now.</summary>
    public void Done(TKey key, Requeue next = default)
    {
        lock (_gate)
        {
            _failures.Remove(key);
            Finish(key, next.After);
        }

        HandOut();
    }

    /// <summary>
    /// Worked on without success: it comes back after its back-off. If it was added meanwhile it comes back within a second, not at once:
    /// a failing pass that itself causes changes would spin.
    /// </summary>
    /// <returns>The wait until it comes back.</returns>
    public TimeSpan Failed(TKey key)
    {
        TimeSpan wait;
        lock (_gate)
        {
            var failures = _failures[key] = _failures.GetValueOrDefault(key) + 1;
            var backoff = Backoff(failures);
            if (_due.Remove(key) && backoff > ChangedBackoffCap) backoff = ChangedBackoffCap;
            var limit = _retries.Reserve();
            wait = backoff > limit ? backoff : limit;
            Finish(key, wait);
        }

        HandOut();
        return wait;
    }

    /// <summary>How often in a row the key has failed.</summary>
    public int FailuresOf(TKey key)
    {
        lock (_gate) return _failures.GetValueOrDefault(key);
    }

    /// <summary>Completes when no key is due or being worked on. Keys that wait for a later time do not count.</summary>
    public Task IdleAsync(CancellationToken ct)
    {
        var idler = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (IsIdle()) return Task.CompletedTask;
            _idlers.Add(idler);
        }

        return idler.Task.WaitAsync(ct);
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
        {
            while (_takers.TryDequeue(out var taker)) taker.TrySetCanceled();
        }
    }

    private static async Task<TKey> CancellableAsync(TaskCompletionSource<TKey> taker, CancellationToken ct)
    {
        await using var cancel = ct.Register(() => taker.TrySetCanceled(ct));
        return await taker.Task;
    }

    private void Schedule(TKey key, TimeSpan after)
    {
        var due = _clock.GetTimestamp() + (long)(Math.Max(0, after.TotalSeconds) * _clock.TimestampFrequency);
        if (_due.TryGetValue(key, out var sooner) && sooner <= due) return;
        _due[key] = due;
        if (!_running.Contains(key)) _heap.Enqueue(key, (due, _order++));
    }

    private void Finish(TKey key, TimeSpan? comesBack)
    {
        if (!_running.Remove(key)) throw new InvalidOperationException($"{key} was not being worked on.");
        if (_due.TryGetValue(key, out var due)) _heap.Enqueue(key, (due, _order++));
        if (comesBack is { } after) Schedule(key, after);
    }

    private void HandOut()
    {
        lock (_gate)
        {
            while (_takers.Count > 0 && TakeDue(out var key))
            {
                if (_takers.Dequeue().TrySetResult(key)) continue;
                _running.Remove(key);   // that taker gave up: put the key back for the next one
                Schedule(key, TimeSpan.Zero);
            }

            ArmTimer();
            if (_idlers.Count > 0 && IsIdle())
            {
                foreach (var idler in _idlers) idler.TrySetResult();
                _idlers.Clear();
            }
        }
    }

    private bool TakeDue(out TKey key)
    {
        var now = _clock.GetTimestamp();
        while (PeekCurrent(out key!, out var due) && due <= now)
        {
            _heap.Dequeue();
            _due.Remove(key);
            _running.Add(key);
            return true;
        }

        return false;
    }

    // Drops superseded entries on the way.
    private bool PeekCurrent(out TKey key, out long due)
    {
        while (_heap.TryPeek(out key!, out var at))
        {
            due = at.Due;
            if (!_running.Contains(key) && _due.TryGetValue(key, out var current) && current == due) return true;
            _heap.Dequeue();
        }

        due = 0;
        return false;
    }

    private bool IsIdle() => _running.Count == 0 && !(PeekCurrent(out _, out var due) && due <= _clock.GetTimestamp());

    private void ArmTimer()
    {
        if (!PeekCurrent(out _, out var due)) return;
        var wait = _clock.GetElapsedTime(_clock.GetTimestamp(), due);
        // Timers count whole milliseconds and must not fire early: that would be a wake-up for nothing.
        if (wait > TimeSpan.Zero) _timer.Change(TimeSpan.FromMilliseconds(Math.Min(Math.Ceiling(wait.TotalMilliseconds), int.MaxValue)), Timeout.InfiniteTimeSpan);
    }

    private TimeSpan Backoff(int failures)
    {
        var full = Math.Min(_options.BackoffCap.TotalSeconds, _options.Backoff.TotalSeconds * Math.Pow(2, Math.Min(failures, 40) - 1));
        return TimeSpan.FromSeconds(full * (0.5 + _options.Random() / 2));
    }
}
