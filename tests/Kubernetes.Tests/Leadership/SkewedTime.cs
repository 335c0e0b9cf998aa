namespace Opt.Kubernetes.Tests;

/// <summary>
/// The clock of one process: what it shows can jump, and while the process is stopped none of its timers fire; they fire together when it goes on.
/// Its monotonic time goes on with the true one, as a machine's does.
/// </summary>
internal sealed class SkewedTime(TimeProvider time) : TimeProvider
{
    private readonly Queue<Action> _held = new();
    private TimeSpan _offset;

    public bool Paused { get; set; }

    public override long TimestampFrequency => time.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public void Jump(TimeSpan by) => _offset += by;

    public void Resume()
    {
        Paused = false;
        while (_held.TryDequeue(out var fire)) fire();
    }

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + _offset;

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => time.CreateTimer(_ =>
    {
        if (Paused) _held.Enqueue(() => callback(state));
        else callback(state);
    }, null, dueTime, period);
}
