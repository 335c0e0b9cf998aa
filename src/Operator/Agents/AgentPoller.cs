using System.Net;
using Opt.Api.Protocol;
using Opt.Planning;

namespace Opt.Operator.Agents;

/// <summary>Asks one agent for its status, again and again.</summary>
internal sealed class AgentPoller(AgentTarget target, IAgentClient client, TimeProvider clock, Func<double> random, Action<AgentPoller, AgentView, AgentView> observe) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private AgentView _view = new() { Pod = target.Pod, PodUid = target.PodUid };
    private bool _hurry = true;
    private TaskCompletionSource _poke = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _loop = Task.CompletedTask;

    public AgentTarget Target => target;

    /// <summary>Whether the agent refused our token when it was last asked.</summary>
    public bool IsRefused { get; private set; }

    public AgentView View
    {
        get { lock (_gate) return _view; }
    }

    /// <summary>Every second, or every 5 to 10 seconds.</summary>
    public void Pace(bool hurry)
    {
        lock (_gate)
        {
            if (hurry && !_hurry) _poke.TrySetResult();
            _hurry = hurry;
        }
    }

    public void Start(CancellationToken ct) => _loop = RunAsync(CancellationTokenSource.CreateLinkedTokenSource(ct, _stopping.Token));

    public void Poke()
    {
        lock (_gate) _poke.TrySetResult();
    }

    public void PlanAnswered(PlanId plan, string? refusal)
    {
        lock (_gate) _view = _view with { Accepted = refusal is null ? plan : null, Refusal = refusal is null ? null : new(plan, refusal) };
    }

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
            try
            {
                while (true)
                {
                    await AskAsync(stopping.Token);
                    await WaitAsync(stopping.Token);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                // stopping is not an error
            }
        }
    }

    private async Task AskAsync(CancellationToken ct)
    {
        AgentStatus? status = null;
        string? error = null;
        var asked = clock.GetUtcNow();
        try
        {
            status = await client.GetStatusAsync(target, ct);
            IsRefused = false;
        }
        catch (AgentException e)
        {
            error = e.Message;
            IsRefused = e.Status is HttpStatusCode.Unauthorized;
        }

        AgentView before, after;
        lock (_gate)
        {
            before = _view;
            after = _view = (status is null ? before with { SilentSince = Earlier(before.SilentSince), Error = error } : Answered(before, status)) with { AskedAt = asked };
        }

        observe(this, before, after);
    }

    /// <summary>What a PUT brought counts until the agent's own status has caught up, or another process answers.</summary>
    private static AgentView Answered(AgentView before, AgentStatus status)
    {
        var other = before.Status is not null && before.Status.Instance != status.Instance;
        var caughtUp = before.Accepted is { } accepted && status.Epoch >= accepted.Epoch;
        return before with { Status = status, SilentSince = null, Error = null, Accepted = other || caughtUp ? null : before.Accepted, Refusal = other ? null : before.Refusal };
    }

    /// <summary>Since when, or now; also after the clock was set back.</summary>
    private DateTimeOffset Earlier(DateTimeOffset? since) => clock.GetUtcNow() is var now && since < now ? since.Value : now;

    private async Task WaitAsync(CancellationToken ct)
    {
        Task poked;
        bool hurry;
        lock (_gate)
        {
            hurry = _hurry;
            if (_poke.Task.IsCompleted) _poke = new(TaskCreationOptions.RunContinuationsAsynchronously);
            poked = _poke.Task;
        }

        var seconds = hurry ? 0.75 + 0.5 * random() : 5 + 5 * random();
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(ct);
        await Task.WhenAny(Task.Delay(TimeSpan.FromSeconds(seconds), clock, ends.Token), poked);
        await ends.CancelAsync();
        ct.ThrowIfCancellationRequested();
        // Many pokes in a row must not become a storm.
        if (poked.IsCompleted) await Task.Delay(TimeSpan.FromMilliseconds(100), clock, ct);
    }
}
