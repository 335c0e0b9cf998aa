using System.Collections.Concurrent;

namespace Opt.Scenarios.World;

/// <summary>
/// Tells when everything that can happen at the present virtual moment has happened: all of the system under test runs on the thread pool, so it
/// is at rest exactly when the pool is idle. The test itself therefore runs on a thread of its own (<see cref="Run"/>).
/// </summary>
internal static class Quiet
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>Runs an asynchronous test on one dedicated thread, to which its awaits return.</summary>
    public static Task Run(Func<Task> play)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() => Pump(play, done)) { IsBackground = true, Name = "scenario" };
        thread.Start();
        return done.Task;
    }

    /// <summary>Returns when the pool has come to rest and <paramref name="isElsewhereQuiet"/> holds. Only from the test's own thread.</summary>
    public static void Settle(Func<bool> isElsewhereQuiet)
    {
        var clock = TimeProvider.System;
        var started = clock.GetTimestamp();
        var wait = new SpinWait();
        // Twice: work that was just finished may have woken a thread that is not counted for an instant.
        for (var calm = 0; calm < 2;)
        {
            if (isElsewhereQuiet() && IsIdle()) calm++;
            else calm = 0;
            wait.SpinOnce();
            if (clock.GetElapsedTime(started) > Patience) throw new TimeoutException($"not quiet within {Patience.TotalSeconds} s: {ThreadPool.PendingWorkItemCount} work items are queued");
        }
    }

    private static bool IsIdle()
    {
        ThreadPool.GetMaxThreads(out var most, out _);
        ThreadPool.GetAvailableThreads(out var available, out _);
        return available == most && ThreadPool.PendingWorkItemCount == 0;
    }

    private static void Pump(Func<Task> play, TaskCompletionSource done)
    {
        using var queue = new BlockingCollection<(SendOrPostCallback Callback, object? State)>();
        SynchronizationContext.SetSynchronizationContext(new Context(queue));
        var playing = play();
        playing.ContinueWith(_ => queue.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        foreach (var (callback, state) in queue.GetConsumingEnumerable()) callback(state);
        if (playing.Exception is { } failure) done.SetException(failure.InnerExceptions);
        else if (playing.IsCanceled) done.SetCanceled();
        else done.SetResult();
    }

    private sealed class Context(BlockingCollection<(SendOrPostCallback, object?)> queue) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => queue.Add((d, state));

        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("post instead");
    }
}
