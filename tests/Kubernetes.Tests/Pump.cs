using System.Collections.Concurrent;

namespace Opt.Kubernetes.Tests;

/// <summary>
/// Runs asynchronous code on one thread, so that "everything that can run has run" is a fact and not a guess: with a virtual clock, tests of
/// races become repeatable.
/// </summary>
internal sealed class Pump : SynchronizationContext
{
    private readonly ConcurrentQueue<(SendOrPostCallback Work, object? State)> _ready = new();

    public override void Post(SendOrPostCallback d, object? state) => _ready.Enqueue((d, state));

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("Nothing here may block.");

    /// <summary>Runs <paramref name="test"/> to its end. <paramref name="test"/> gets the settle function for the virtual clock.</summary>
    public static void Run(Func<Func<Task>, Task> test)
    {
        var (before, pump) = (Current, new Pump());
        SetSynchronizationContext(pump);
        try
        {
            var running = test(() =>
            {
                pump.RunAll();
                return Task.CompletedTask;
            });
            pump.RunAll();
            if (!running.IsCompleted) throw new InvalidOperationException("The test waits for something that never happens.");
            running.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    private void RunAll()
    {
        while (_ready.TryDequeue(out var next)) next.Work(next.State);
    }
}
