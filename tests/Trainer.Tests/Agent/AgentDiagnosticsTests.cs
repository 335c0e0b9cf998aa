using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Tests.Loop;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class AgentDiagnosticsTests
{
    /// <summary>Speaks the link: one report of a run under way, then what the script says.</summary>
    private const string Begun = """{"diagnostics":{"id":"a","set":"quick","state":"running","startedAt":"2026-01-01T00:00:00Z","running":"memory","tests":[],"with":[]}}""";

    [Fact]
    public async Task An_idle_agent_tests_its_node_and_its_status_says_how_it_went()
    {
        TinyRun.RequireTorch();
        await using var agent = await AgentUnderTest.StartAsync();
        Assert.Empty((await agent.StatusAsync()).Diagnostics!);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(agent, new() { Id = "a" })).Code);
        var done = (await agent.UntilAsync(s => s.Diagnostics is [{ State: not DiagnosticsState.Running }])).Diagnostics![0];
        Assert.Equal(("a", DiagnosticsState.Passed), (done.Id, done.State));
        Assert.Contains(done.Tests, t => t is { Test: DiagnosticTests.MatrixProduct, Outcome: DiagnosticOutcome.Passed });
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(agent, new() { Id = "a" })).Code);   // known: nothing is done again
        Assert.Equal([done], (await agent.StatusAsync()).Diagnostics);
    }

    [Fact]
    public async Task Without_the_jobs_token_no_test_is_begun()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        using var stranger = new HttpClient { BaseAddress = agent.Http.BaseAddress };
        using var answer = await stranger.PostAsync(new Uri("/v1/diagnostics", UriKind.Relative), Body(new() { Id = "a" }));
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Empty((await agent.StatusAsync()).Diagnostics!);
    }

    [Fact]
    public async Task Beside_workers_nothing_is_tested_unless_they_are_of_an_epoch_that_is_over()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell("sleep 1000"), diagnose: Script("exit 3"));
        await agent.PutPlanAsync(await agent.PlanAsync(4));
        await agent.UntilAsync(s => s.Workers is [{ Pid: not null }]);
        var (code, body) = await PostAsync(agent, new() { Id = "a", EndWorkersBelow = 4 });
        Assert.Equal(HttpStatusCode.Conflict, code);
        Assert.Contains("workers of epoch 4", body, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(agent, new() { Id = "b", EndWorkersBelow = 5 })).Code);
        var after = await agent.UntilAsync(s => s.Diagnostics is [{ State: DiagnosticsState.Incomplete }]);
        Assert.Equal(WorkerState.Exited, Assert.Single(after.Workers).State);
    }

    [Fact]
    public async Task One_run_at_a_time_and_a_plan_ends_it()
    {
        await using var agent = await AgentUnderTest.StartAsync(AgentUnderTest.Shell("sleep 1000"), diagnose: Script($"echo '{Begun}' >&3; sleep 1000"));
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(agent, new() { Id = "a" })).Code);
        await agent.UntilAsync(s => s.Diagnostics is [{ Running: DiagnosticTests.Memory }]);
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(agent, new() { Id = "b" })).Code);

        await agent.PutPlanAsync(await agent.PlanAsync(1));
        var after = await agent.UntilAsync(s => s.Workers is [{ Pid: not null }]);
        var ended = Assert.Single(after.Diagnostics!);
        Assert.Equal((DiagnosticsState.Incomplete, DiagnosticTests.Memory), (ended.State, ended.Tests[^1].Test));
    }

    [Theory]
    [InlineData("kill -SEGV $$", DiagnosticsState.Failed, "signal 11")]
    [InlineData("kill -KILL $$", DiagnosticsState.Incomplete, "signal 9")]
    [InlineData("echo no such thing; exit 66", DiagnosticsState.Incomplete, "exit code 66: no such thing")]
    public async Task A_process_that_dies_in_a_test_says_something_about_the_node_only_when_the_processor_ended_it(string end, DiagnosticsState state, string words)
    {
        await using var agent = await AgentUnderTest.StartAsync(diagnose: Script($"echo '{Begun}' >&3; {end}"));
        await PostAsync(agent, new() { Id = "a" });
        var report = (await agent.UntilAsync(s => s.Diagnostics is [{ State: not DiagnosticsState.Running }])).Diagnostics![0];
        Assert.Equal(state, report.State);
        Assert.Contains(words, report.Tests[^1].Detail, StringComparison.Ordinal);
        Assert.Equal(DiagnosticTests.Memory, report.Tests[^1].Test);
    }

    [Theory]
    [InlineData("""{"id":""}""", "id has 0 characters")]
    [InlineData("""{"id":"a","deadlineSeconds":0}""", "deadlineSeconds is 0")]
    [InlineData("""{"id":"a","set":"network"}""", "set network needs a group")]
    [InlineData("""{"id":"a","set":"network","group":{"members":["x"],"addresses":["10.0.0.1"],"rank":0,"port":1}}""", "group has 1 members")]
    [InlineData("""{"id":"a","set":"network","group":{"members":["x","y"],"addresses":["10.0.0.1","10.0.0.2"],"rank":2,"port":1}}""", "group.rank is 2")]
    [InlineData("""{"id":"a","set":"network","group":{"members":["x","y"],"addresses":["10.0.0.1","10.0.0.2"],"rank":1,"port":0}}""", "group.port is 0")]
    [InlineData("""{"set":"quick"}""", "id")]
    public async Task A_request_that_makes_no_sense_is_refused_by_name(string body, string words)
    {
        await using var agent = await AgentUnderTest.StartAsync();
        using var content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
        using var answer = await agent.Http.PostAsync(new Uri("/v1/diagnostics", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(words, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty((await agent.StatusAsync()).Diagnostics!);
    }

    /// <summary>The arguments that the agent adds come after the script and are not looked at.</summary>
    private static string[] Script(string script) => ["/bin/sh", "-c", script, "diagnose"];

    private static ByteArrayContent Body(DiagnosticsRequest request) => new(JsonSerializer.SerializeToUtf8Bytes(request, ProtocolJson.Default.DiagnosticsRequest)) { Headers = { ContentType = new("application/json") } };

    private static async Task<(HttpStatusCode Code, string Body)> PostAsync(AgentUnderTest agent, DiagnosticsRequest request)
    {
        using var content = Body(request);
        using var answer = await agent.Http.PostAsync(new Uri("/v1/diagnostics", UriKind.Relative), content);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
