using System.Net;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Testing;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

/// <summary>An agent among hostile neighbours: whatever they send, it answers its operator and does nothing it was not asked.</summary>
public sealed class EndpointFuzzTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(AgentUnderTest.Token)]
    [InlineData("wrong")]
    public async Task Malformed_requests_are_refused_and_change_nothing(string token)
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var before = await agent.UntilAsync(s => s.Store.Reachable);
        var fence = JsonSerializer.Serialize(new FenceRequest { Epoch = 3, JobUid = "somebody-elses" }, ProtocolJson.Default.FenceRequest);
        var target = new FuzzTarget(
            new(IPAddress.Loopback, agent.Port),
            [("PUT", "/v1/fence", fence), ("PUT", "/v1/plan", """{"epoch": 3, "revision": 1, "members": [{"pod": "opt-0"}]}"""), ("PUT", "/v1/control", """{"epoch": 3, "revision": 1, "commands": []}"""),
             ("PUT", "/v1/checkpoints", """{"name": "step-1", "pin": true}"""), ("POST", "/v1/diagnostics", "{}"), ("GET", "/v1/steps", ""), ("GET", "/v1/archive?epoch=1&after=0", ""), ("GET", "/v1/logbook", ""), ("GET", "/v1/copies", ""), ("GET", "/v1/stacks", "")],
            [$"Authorization: Bearer {token}"]);

        var answers = await RequestFuzz.RunAsync(target, quick: 300, Cancelled);

        Assert.Contains(token == AgentUnderTest.Token ? 400 : 401, answers.Keys);
        var after = await agent.StatusAsync();
        Assert.Equal((before.State, before.Epoch, before.Instance), (after.State, after.Epoch, after.Instance));
    }

    [Fact]
    public async Task Requests_that_never_end_do_not_keep_the_operator_out()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        await agent.UntilAsync(s => s.Store.Reachable);
        await using var slow = await SlowRequests.OpenAsync(new(IPAddress.Loopback, agent.Port), count: 200, Cancelled);

        Assert.Equal(TestRun.JobUid, (await agent.StatusAsync()).JobUid);
    }
}
