using Opt.Api.Protocol;

namespace Opt.Operator.Agents;

/// <summary>Follows the step records of one epoch at rank 0's agent, by long poll.</summary>
internal sealed class StepFollower(AgentTarget target, long epoch, IAgentClient client, TimeProvider clock, Action<StepFollower, StepsPage> arrived) : IAsyncDisposable
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(20);
    private readonly CancellationTokenSource _stopping = new();
    private Task _loop = Task.CompletedTask;

    public AgentTarget Target => target;

    public long Epoch => epoch;

    public void Start(CancellationToken ct) => _loop = RunAsync(CancellationTokenSource.CreateLinkedTokenSource(ct, _stopping.Token));

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task RunAsync(CancellationTokenSource stopping)
    {
        using (stopping)
        {
            var after = 0L;
            while (!stopping.IsCancellationRequested)
            {
                try
                {
                    after = await FollowAsync(after, stopping.Token);
                }
                catch (OperationCanceledException) when (stopping.IsCancellationRequested)
                {
                    return;
                }
            }
        }
    }

    private async Task<long> FollowAsync(long after, CancellationToken ct)
    {
        var started = clock.GetTimestamp();
        try
        {
            var page = await client.GetStepsAsync(target, epoch, after, Wait, ct);
            if (page.Epoch == epoch)
            {
                arrived(this, page);
                after = page.Next;
            }

            // An agent that answers at once with nothing new (another epoch, a restart) is not asked in a tight loop.
            if ((page.Epoch != epoch || page.Records.Count == 0) && clock.GetElapsedTime(started) < TimeSpan.FromSeconds(1)) await Task.Delay(TimeSpan.FromSeconds(1), clock, ct);
        }
        catch (AgentException)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), clock, ct);   // the status poll tells of silence
        }

        return after;
    }
}
