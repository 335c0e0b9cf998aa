namespace Opt.Scenarios.World;

/// <summary>The clock of one process: its timers stand still while the process is stopped, and what it shows can be wrong.</summary>
internal sealed class ProcessClock(TimeProvider world) : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<Action> _held = [];
    private TaskCompletionSource? _stopped;

    /// <summary>How far its calendar is off; its stopwatch is not.</summary>
    public TimeSpan Offset { get; set; }

    public bool IsStopped
    {
        get { lock (_gate) return _stopped is not null; }
    }

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override long TimestampFrequency => world.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => world.GetUtcNow() + Offset;

    public override long GetTimestamp() => world.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => world.CreateTimer(_ => Run(() => callback(state)), null, dueTime, period);

    /// <summary>SIGSTOP: nothing runs until <see cref="Continue"/>.</summary>
    public void Stop()
    {
        lock (_gate) _stopped ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>SIGCONT: all timers that were due fire at once.</summary>
    public void Continue()
    {
        Action[] held;
        lock (_gate)
        {
            held = [.. _held];
            _held.Clear();
            _stopped?.TrySetResult();
            _stopped = null;
        }

        foreach (var act in held) act();
    }

    /// <summary>Passes while the process runs.</summary>
    public Task RunningAsync()
    {
        lock (_gate) return _stopped?.Task ?? Task.CompletedTask;
    }

    private void Run(Action act)
    {
        lock (_gate)
        {
            if (_stopped is not null)
            {
                _held.Add(act);
                return;
            }
        }

        act();
    }
}
