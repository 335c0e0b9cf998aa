namespace Opt.Operator.Agents;

/// <summary>Reads something of the store through an agent in the background, one request at a time: no decision waits for it.</summary>
internal sealed class BackgroundReader<T>(Func<AgentTarget, CancellationToken, Task<T>> read, Action<T> arrived, CancellationToken stopping)
{
    private readonly Lock _gate = new();
    private Task _reading = Task.CompletedTask;

    /// <summary>Completes when nothing is being read.</summary>
    public Task Idle
    {
        get { lock (_gate) return _reading; }
    }

    /// <param name="then">Called when it was read, or could not be; without one nothing is asked while another request is under way.</param>
    public void Ask(AgentTarget target, Action? then = null)
    {
        lock (_gate)
        {
            if (then is not null || _reading.IsCompleted) _reading = ReadAsync(_reading, target, then);
        }
    }

    private async Task ReadAsync(Task before, AgentTarget target, Action? then)
    {
        await before;
        try
        {
            arrived(await read(target, stopping));
        }
        catch (AgentException)
        {
            // asked again with the next commit or epoch
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // stopping is not an error
        }

        then?.Invoke();
    }
}
