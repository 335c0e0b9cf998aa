namespace Opt.Bench.Faults;

/// <summary>
/// Gives one process a quarter of its time: stopped for 150 ms, running for 50 ms, until it ends or this is disposed. To the others it is a machine that is
/// four times as slow, as one with a throttled processor is.
/// </summary>
internal sealed class Throttle : IAsyncDisposable
{
    private readonly TargetProcess _process;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public Throttle(TargetProcess process)
    {
        _process = process;
        _running = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested && _process.TrySignal(Signal.Stop))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(150), TimeProvider.System, CancellationToken.None);
            _process.TrySignal(Signal.Cont);
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }
}
