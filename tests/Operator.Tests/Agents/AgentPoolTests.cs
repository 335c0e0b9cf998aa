using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Api.Protocol;
using Opt.Operator.Agents;
using Xunit;

namespace Opt.Operator.Tests.Agents;

/// <summary>The poller against a real HTTP agent, in real time: waits are for events, never for a guess.</summary>
public sealed class AgentPoolTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private readonly BlockingCollection<TimeSpan> _changes = [];
    private readonly AgentClient _client = AgentClient.Create(TimeProvider.System);
    private readonly AgentPool _pool;

    public AgentPoolTests() => _pool = new(_client, TimeProvider.System, () => 0, NullLogger.Instance, _changes.Add);

    [Fact]
    public async Task An_answer_a_change_and_silence_each_bring_the_job_back()
    {
        var agent = await TestAgent.StartAsync();
        await _pool.TrackAsync([agent.Target]);
        Until(() => _pool.Views is [{ Answers: true, Status.State: AgentState.Idle }]);

        agent.Status = agent.Status with { State = AgentState.Failed, Failure = new() { Rank = 0, Exit = WorkerExit.Internal, Message = "boom", At = DateTimeOffset.UnixEpoch } };
        Until(() => _pool.Views is [{ Status.Failure.Message: "boom" }]);

        await agent.DisposeAsync();
        Until(() => _pool.Views is [{ SilentSince: not null, Answers: false, Error: not null, Status: not null }]);
    }

    [Fact]
    public async Task Step_records_of_rank_zero_arrive_by_long_poll_without_a_timer()
    {
        await using var agent = await TestAgent.StartAsync();
        await _pool.TrackAsync([agent.Target]);
        await _pool.PaceAsync(hurry: false, Plans.Make(epoch: 2, agent.Target));
        agent.Step(Plans.Step(2, 1, TimeProvider.System.GetUtcNow()));
        Until(() => _pool.Steps(null).Newest?.Attempt == 1);
        agent.Step(Plans.Step(2, 2, TimeProvider.System.GetUtcNow(), seconds: 3), Plans.Step(2, 3, TimeProvider.System.GetUtcNow(), seconds: 5));
        Until(() => _pool.Steps(null).Newest?.Attempt == 3);

        Assert.Equal(3, _pool.Steps(null).MedianSeconds);
        Assert.Contains(agent.Requests, r => r == "GET /v1/steps?epoch=2&after=1&waitSeconds=20");
    }

    [Fact]
    public async Task A_refused_plan_is_kept_until_another_process_answers()
    {
        await using var agent = await TestAgent.StartAsync();
        await _pool.TrackAsync([agent.Target]);
        Until(() => _pool.Views is [{ Answers: true }]);
        var plan = Plans.Make(epoch: 2, agent.Target);
        _pool.PlanAnswered(agent.Target.PodUid, plan.Id, "epoch 7 is fenced");
        Assert.Equal(new(plan.Id, "epoch 7 is fenced"), _pool.Views[0].Refusal);

        agent.Status = agent.Status with { Instance = "two" };
        Until(() => _pool.Views is [{ Refusal: null, Status.Instance: "two" }]);
    }

    [Fact]
    public async Task An_untracked_agent_is_not_asked_again()
    {
        await using var agent = await TestAgent.StartAsync();
        await _pool.TrackAsync([agent.Target]);
        Until(() => _pool.Views is [{ Answers: true }]);
        await _pool.TrackAsync([]);
        var asked = agent.Requests.Count;
        await Task.Delay(TimeSpan.FromSeconds(1.5), TimeProvider.System);
        Assert.Equal(asked, agent.Requests.Count);
        Assert.Empty(_pool.Views);
    }

    public async ValueTask DisposeAsync()
    {
        await _pool.DisposeAsync();
        _client.Dispose();
        _changes.Dispose();
    }

    /// <summary>Looks at every reported change until it holds.</summary>
    private void Until(Func<bool> holds)
    {
        while (!holds()) Assert.True(_changes.TryTake(out _, Patience), "no change was reported in time");
    }
}
