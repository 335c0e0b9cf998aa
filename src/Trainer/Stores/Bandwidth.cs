namespace Opt.Trainer.Stores;

/// <summary>Spreads bytes over time: each taker waits until those before it had their share. Safe for concurrent use.</summary>
public sealed class Bandwidth(long bytesPerSecond, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _start = time.GetTimestamp();
    private TimeSpan _free;

    /// <summary>Waits for the turn of so many bytes.</summary>
    public async ValueTask TakeAsync(long bytes, CancellationToken ct)
    {
        TimeSpan wait;
        lock (_gate)
        {
            var now = time.GetElapsedTime(_start);
            if (_free < now) _free = now;
            wait = _free - now;
            _free += TimeSpan.FromSeconds((double)bytes / bytesPerSecond);
        }

        if (wait > TimeSpan.Zero) await Task.Delay(wait, time, ct);
    }
}
