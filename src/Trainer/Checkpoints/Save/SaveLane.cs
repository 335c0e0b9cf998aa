namespace Opt.Trainer.Checkpoints;

/// <summary>The saves of one kind on one rank, one at a time: their host memory and the one under way. Kinds do not wait for each other.</summary>
/// <param name="ended">Cancelled when the session ends.</param>
internal sealed class SaveLane(HostSnapshot snapshot, CancellationToken ended) : IDisposable
{
    private CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(ended);

    public HostSnapshot Snapshot => snapshot;

    /// <summary>The save under way, or the last one; never fails.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>Ends the save under way, if any, and takes a snapshot of the state now.</summary>
    public void Capture()
    {
        // Still busy only when rank 0 gave up on the last save: its upload is of no use any more, its memory is needed.
        _stop.Cancel();
        Running.GetAwaiter().GetResult();
        _stop.Dispose();
        _stop = CancellationTokenSource.CreateLinkedTokenSource(ended);
        snapshot.Capture();
    }

    /// <param name="save">Must not fail.</param>
    public void Begin(Func<CancellationToken, Task> save)
    {
        var ct = _stop.Token;
        Running = Task.Run(() => save(ct), CancellationToken.None);
    }

    public void Dispose()
    {
        snapshot.Dispose();
        _stop.Dispose();
    }
}
