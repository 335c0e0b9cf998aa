using Opt.Api.Protocol;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Agent;

/// <summary>Asks the store now and then whether it can be read.</summary>
internal sealed class StoreWatch : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30), WhenBad = TimeSpan.FromSeconds(5), Deadline = TimeSpan.FromSeconds(15);
    private readonly ICheckpointStore _store;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;

    public StoreWatch(ICheckpointStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        Health = new() { Reachable = false, Error = "not asked yet" };
        _loop = Task.Run(RunAsync);
    }

    public StoreHealth Health { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                var health = await AskAsync();
                Health = health with { Failures = Health.Failures + (health.Reachable ? 0 : 1) };
                await Task.Delay(Health.Reachable ? Every : WhenBad, _time, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // the agent ends
        }
    }

    private async Task<StoreHealth> AskAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, deadline.Token);
        try
        {
            await _store.CheckAsync(either.Token);
            return new() { Reachable = true };
        }
        catch (StoreException e)
        {
            return new() { Reachable = false, Error = e.Message };
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            return new() { Reachable = false, Error = $"{_store.Description}: no answer within {Deadline.TotalSeconds:0} s" };
        }
    }
}
