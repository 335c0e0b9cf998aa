namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>Counts work in progress in this process, so that a test in virtual time can wait until everything that can happen now has happened.</summary>
internal sealed class Activity
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _quiet = Done();
    private int _count;

    /// <summary>Work finished since the start. A watcher that sees it unchanged over a quiet spell knows that nothing ran in between.</summary>
    public long Finished { get; private set; }

    public bool IsQuiet
    {
        get
        {
            lock (_gate) return _count == 0;
        }
    }

    public void Begin()
    {
        lock (_gate)
        {
            if (_count++ == 0) _quiet = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public void End()
    {
        lock (_gate)
        {
            Finished++;
            if (--_count == 0) _quiet.TrySetResult();
        }
    }

    public Task WhenQuietAsync(CancellationToken ct)
    {
        lock (_gate) return _quiet.Task.WaitAsync(ct);
    }

    private static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }
}
