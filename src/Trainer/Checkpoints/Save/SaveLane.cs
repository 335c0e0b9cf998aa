namespace Opt.Trainer.Checkpoints;

/// <summary>The saves of one kind on one rank, one at a time: their host memory and the one under way. Kinds do not wait for each other.</summary>
/// <param name="ended">Cancelled when the session ends.</param>
internal sealed class SaveLane(HostSnapshot snapshot, TimeProvider time, CancellationToken ended) : IDisposable
{
    private CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(ended);

    public HostSnapshot Snapshot => snapshot;

    /// <summary>The save under way, or the last one; never fails.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>Ends the save under way, if any, and begins another: copies the state on a thread of its own, then saves it.</summary>
    /// <param name="enter">Called first on that thread.</param>
    /// <param name="save">Must not fail.</param>
    /// <returns>The copy and how long it took. It may fail: nothing is saved then.</returns>
    public Task<TimeSpan> Begin(Action enter, Func<CancellationToken, Task> save)
    {
        // Still busy only when rank 0 gave up on the last save: its upload is of no use any more, its memory is needed.
        _stop.Cancel();
        Running.GetAwaiter().GetResult();
        _stop.Dispose();
        _stop = CancellationTokenSource.CreateLinkedTokenSource(ended);
        var copied = Task.Factory.StartNew(() =>
        {
            enter();
            var start = time.GetTimestamp();
            snapshot.Capture();
            return time.GetElapsedTime(start);
        }, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
        Running = SaveAsync(copied, save, _stop.Token);
        return copied;
    }

    private static async Task SaveAsync(Task copied, Func<CancellationToken, Task> save, CancellationToken ct)
    {
        await copied.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (copied.IsCompletedSuccessfully) await Task.Run(() => save(ct), CancellationToken.None);
    }

    public void Dispose()
    {
        snapshot.Dispose();
        _stop.Dispose();
    }
}
