using System.Net;
using Microsoft.AspNetCore.Http;
using Opt.Api.Protocol;
using Opt.Operator.Agents;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Agents;

public sealed class AgentClientTests
{
    private readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task Status_fence_plan_and_control_go_over_the_wire_as_the_protocol_says()
    {
        await using var agent = await TestAgent.StartAsync();
        using var client = AgentClient.Create(TimeProvider.System);

        Assert.Equal(agent.Status, await client.GetStatusAsync(agent.Target, _ct));
        Assert.Equal(3, (await client.PutFenceAsync(agent.Target, new() { Epoch = 2, JobUid = "job" }, _ct)).Entry);
        var plan = Plans.Make(epoch: 2, agent.Target);
        await client.PutPlanAsync(agent.Target, plan, _ct);
        Assert.Equal(plan.Id, agent.Plan!.Id);
        await client.PutControlAsync(agent.Target, new() { Epoch = 2, Revision = 1, Command = ControlCommand.Drain }, _ct);
        Assert.Equal(ControlCommand.Drain, agent.Control!.Command);
    }

    [Fact]
    public async Task A_wrong_token_is_an_error_with_the_agents_words()
    {
        await using var agent = await TestAgent.StartAsync();
        using var client = AgentClient.Create(TimeProvider.System);
        var error = await Assert.ThrowsAsync<AgentException>(() => client.GetStatusAsync(agent.Target with { Token = "other" }, _ct));
        Assert.Equal(HttpStatusCode.Unauthorized, error.Status);
        Assert.Contains("no such token", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_with_409_is_told_from_other_failures()
    {
        await using var agent = await TestAgent.StartAsync();
        agent.Before = async http =>
        {
            http.Response.StatusCode = 409;
            await http.Response.WriteAsync("""{"error":"epoch 7 is fenced"}""", _ct);
            return true;
        };
        using var client = AgentClient.Create(TimeProvider.System);
        var error = await Assert.ThrowsAsync<AgentException>(() => client.PutPlanAsync(agent.Target, Plans.Make(epoch: 2, agent.Target), _ct));
        Assert.True(error.IsConflict);
        Assert.EndsWith("409 epoch 7 is fenced", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_that_accepts_and_never_answers_is_given_up_after_its_deadline()
    {
        await using var agent = await TestAgent.StartAsync();
        var asked = new TaskCompletionSource();
        agent.Before = async http =>
        {
            asked.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return true;
        };
        var clock = new VirtualTime();
        using var client = AgentClient.Create(clock);
        var answer = client.GetStatusAsync(agent.Target, _ct);
        await asked.Task;
        await clock.AdvanceAsync(TimeSpan.FromSeconds(5), () => Task.CompletedTask);
        var error = await Assert.ThrowsAsync<AgentException>(() => answer);
        Assert.Contains("no answer within 5 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_listening_is_an_error_and_not_a_crash()
    {
        using var client = AgentClient.Create(TimeProvider.System);
        await Assert.ThrowsAsync<AgentException>(() => client.GetStatusAsync(new("opt-0", "uid", "127.0.0.1", 1, "t"), _ct));
    }

    [Fact]
    public void IPv6_addresses_are_bracketed() => Assert.Equal("http://[fd00::1]:9440/v1/status", new AgentTarget("p", "u", "fd00::1", 9440, "t").Url("/v1/status").ToString());
}
