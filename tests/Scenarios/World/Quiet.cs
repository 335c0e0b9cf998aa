namespace Opt.Scenarios.World;

/// <summary>
/// Tells when everything that can happen at the present virtual moment has happened. All of the system under test, and the test too, runs on the
/// thread pool, which has one thread here (see the project file): an item that was queued last and finds no other behind it is alone in the world. So nothing
/// waits for another thread to wake up, which would cost ten times the work itself, and a sequence of events is the same every time it is played.
/// </summary>
internal static class Quiet
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Runs an asynchronous test on the pool's thread.</summary>
    public static Task Run(Func<Task> play)
    {
        ThreadPool.GetMaxThreads(out var threads, out _);
        return threads == 1 ? Task.Run(play) : throw new InvalidOperationException($"the pool has {threads} threads; these tests need ThreadPoolMaxThreads to be 1");
    }

    /// <summary>Completes when the pool has nothing else to do and <paramref name="isElsewhereQuiet"/> holds.</summary>
    public static Task SettleAsync(Func<bool> isElsewhereQuiet)
    {
        var rest = new Rest(isElsewhereQuiet);
        rest.Queue();
        return rest.Reached;
    }

    private sealed class Rest(Func<bool> isElsewhereQuiet) : IThreadPoolWorkItem
    {
        // Goes on inside Execute, as the only thing that runs.
        private readonly TaskCompletionSource _reached = new();
        private readonly long _started = TimeProvider.System.GetTimestamp();

        public Task Reached => _reached.Task;

        /// <summary>Behind everything that is queued, on the queue of all threads: what is queued on a thread's own comes first.</summary>
        public void Queue() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

        public void Execute()
        {
            if (ThreadPool.PendingWorkItemCount > 0) Queue();
            else if (isElsewhereQuiet()) _reached.SetResult();
            else if (TimeProvider.System.GetElapsedTime(_started) > Patience) _reached.SetException(new TimeoutException($"not quiet within {Patience.TotalSeconds} s"));
            else
            {
                Thread.Yield();   // bytes are in the kernel
                Queue();
            }
        }
    }
}
