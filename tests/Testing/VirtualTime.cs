namespace Opt.Testing;

/// <summary>A clock that moves only when a test moves it. Timers fire in due order, each at its own due time.</summary>
public sealed class VirtualTime : TimeProvider
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Lock _gate = new();
    private readonly PriorityQueue<(VirtualTimer Timer, long Version), (DateTimeOffset Due, long Order)> _timers = new();
    private DateTimeOffset _now = Start;
    private long _order;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate) return _now;
    }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    // Not TimeSpan's frequency on purpose: code that treats a timestamp as ticks fails its test.
    public override long TimestampFrequency => 7 * TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => 7 * (GetUtcNow() - Start).Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves to <paramref name="by"/> from now, letting the code under test run after every timer.</summary>
    public async Task AdvanceAsync(TimeSpan by, Func<Task> settle)
    {
        var end = GetUtcNow() + by;
        await settle();
        while (TakeDue(end) is { } timer)
        {
            timer.Fire();
            await settle();
        }

        lock (_gate) _now = end;
        await settle();
    }

    private VirtualTimer? TakeDue(DateTimeOffset end)
    {
        lock (_gate)
        {
            while (_timers.TryPeek(out var entry, out var key) && key.Due <= end)
            {
                _timers.Dequeue();
                if (entry.Timer.Version != entry.Version) continue;   // changed or disposed since it was queued
                if (key.Due > _now) _now = key.Due;
                if (entry.Timer.Period > TimeSpan.Zero) Arm(entry.Timer, entry.Timer.Period);
                return entry.Timer;
            }

            return null;
        }
    }

    private void Arm(VirtualTimer timer, TimeSpan dueTime) => _timers.Enqueue((timer, timer.Version), (_now + dueTime, _order++));

    private sealed class VirtualTimer(VirtualTime clock, TimerCallback callback, object? state) : ITimer
    {
        public long Version;
        public TimeSpan Period;

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                Version++;
                Period = period;
                if (dueTime != Timeout.InfiniteTimeSpan) clock.Arm(this, dueTime);
                return true;
            }
        }

        public void Dispose()
        {
            lock (clock._gate) Version++;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
