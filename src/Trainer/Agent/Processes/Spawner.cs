using System.Collections.Concurrent;

namespace Opt.Trainer.Agent.Processes;

/// <summary>One thread that starts processes and lives as long as the agent: a child that asked to die with its parent dies with the thread that made it.</summary>
internal sealed class Spawner : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];

    public Spawner() => new Thread(() =>
    {
        foreach (var work in _work.GetConsumingEnumerable()) work();
    }) { IsBackground = true, Name = "spawner" }.Start();

    public Task<T> RunAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task;
    }

    public void Dispose() => _work.CompleteAdding();
}
