namespace Opt.Trainer.Stores;

/// <summary>
/// Memory of a caller that a blocked system call may outlive: a thread in a mount that hangs goes on long after its caller gave up and used the memory
/// for something else. Copies from and to it go through here; once the caller has gone none is made any more, and none is under way.
/// </summary>
internal sealed class Abandonable(TimeProvider time)
{
    /// <summary>How long a cancelled caller waits for the thread, which usually ends at once and tidies up.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private bool _abandoned;

    /// <summary>Waits for work on another thread, or leaves it to itself.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; the work touches the caller's memory no more.</exception>
    public async Task<T> WaitAsync<T>(Task<T> work, CancellationToken ct)
    {
        try
        {
            return await work.WaitAsync(ct);
        }
        catch (OperationCanceledException) when (!work.IsCompleted)
        {
            lock (_gate) _abandoned = true;
            await Task.WhenAny(work, Task.Delay(Grace, time, CancellationToken.None));
            throw;
        }
    }

    /// <summary>Copies bytes into the caller's memory.</summary>
    /// <exception cref="OperationCanceledException">The caller has gone.</exception>
    public void Copy(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        lock (_gate)
        {
            ThrowIfAbandoned();
            source.CopyTo(destination);
        }
    }

    /// <summary>Copies bytes of the caller's content.</summary>
    /// <exception cref="OperationCanceledException">The caller has gone.</exception>
    public void Read(IObjectContent content, long offset, Span<byte> destination)
    {
        lock (_gate)
        {
            ThrowIfAbandoned();
            content.Read(offset, destination);
        }
    }

    private void ThrowIfAbandoned()
    {
        if (_abandoned) throw new OperationCanceledException("the caller has gone");
    }
}
