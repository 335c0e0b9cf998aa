using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class AgentProtocolTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong")]
    [InlineData("Basic c2VjcmV0LXRva2Vu")]
    [InlineData("Bearer ")]
    public async Task Without_the_jobs_token_nothing_but_health_and_metrics_is_answered(string? authorization)
    {
        await using var agent = await AgentUnderTest.StartAsync();
        using var stranger = new HttpClient { BaseAddress = agent.Http.BaseAddress };
        if (authorization is not null) stranger.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", authorization);

        foreach (var path in new[] { "/v1/status", "/v1/steps", "/v1/catalogue" })
        {
            using var refused = await stranger.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }

        Assert.Equal("ok", await stranger.GetStringAsync("/healthz"));
        Assert.Contains("opt_agent_state{state=\"Idle\"} 1", await stranger.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_was_replaced_in_the_Secret_is_taken_up_and_the_old_one_dropped()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        await File.WriteAllTextAsync(agent.TokenFile, "newer");
        using var client = new HttpClient { BaseAddress = agent.Http.BaseAddress };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "newer");
        using var answer = await client.GetAsync(new Uri("/v1/status", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var old = await agent.Http.GetAsync(new Uri("/v1/status", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, old.StatusCode);
    }

    [Fact]
    public async Task An_idle_agent_says_who_it_is_and_whether_the_store_can_be_read()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var status = await agent.UntilAsync(s => s.Store.Reachable);
        Assert.Equal((AgentState.Idle, "opt-0", "pod-uid-0", "node-a", 0L), (status.State, status.Pod, status.PodUid, status.Node, status.Epoch));
        Assert.NotEmpty(status.Instance);
        Assert.Equal(TestRun.JobUid, status.JobUid);
    }

    [Fact]
    public async Task A_status_that_did_not_change_is_answered_with_304()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        await agent.UntilAsync(s => s.Store.Reachable);
        using var first = await agent.Http.GetAsync(new Uri("/v1/status", UriKind.Relative));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/status") { Headers = { IfNoneMatch = { first.Headers.ETag! } } };
        using var second = await agent.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Fact]
    public async Task A_fence_answers_the_catalogue_as_of_it_and_lower_epochs_are_refused_from_then_on()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        using (var log = TestRun.Log(agent.Store)) await log.FenceAsync(3, adopt: false, default);
        await using (var run = TestRun.Start(agent.Store, 3, TestModel.World(1, 1, step: 9))) Assert.Null((await run.SaveAsync(9)).Error);

        var (code, body) = await agent.PutFenceAsync(5);
        Assert.Equal(HttpStatusCode.OK, code);
        var catalogue = JsonSerializer.Deserialize(body, ProtocolJson.Default.Catalogue)!;
        Assert.Equal((5L, TestRun.JobUid), (catalogue.FencedEpoch, catalogue.JobUid));
        Assert.Equal(9, Assert.Single(catalogue.Checkpoints).Step);
        Assert.Equal(5, (await agent.StatusAsync()).Epoch);

        Assert.Equal(HttpStatusCode.OK, (await agent.PutFenceAsync(5)).Code);
        var (refused, why) = await agent.PutFenceAsync(4);
        Assert.Equal(HttpStatusCode.Conflict, refused);
        Assert.Contains("epoch 4 is over: 5 was seen", why, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, (await agent.PutPlanAsync(await agent.PlanAsync(4))).Code);
    }

    [Fact]
    public async Task A_store_of_another_job_is_refused_by_name_until_adopted()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        using (var log = TestRun.Log(agent.Store, uid: "somebody-else")) await log.FenceAsync(3, adopt: false, default);

        var (code, body) = await agent.PutFenceAsync(4);
        Assert.Equal(HttpStatusCode.Conflict, code);
        Assert.Contains("belongs to the job with UID somebody-else", body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await agent.PutFenceAsync(4, adopt: true)).Code);
    }

    [Fact]
    public async Task A_store_that_cannot_be_reached_is_reported_with_the_reason()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        Directory.Delete(agent.StoreFolder, recursive: true);
        var (code, body) = await agent.PutFenceAsync(1);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, code);
        Assert.Contains("is the volume mounted there", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_for_another_job_pod_process_or_size_is_refused_with_the_reason()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var plan = await agent.PlanAsync(1);
        foreach (var (wrong, code, message) in new[]
        {
            (plan with { JobUid = "other" }, HttpStatusCode.Conflict, "the plan is of job other"),
            (plan with { Members = [plan.Members[0] with { PodUid = "x" }] }, HttpStatusCode.Conflict, "is not a member of the plan"),
            (plan with { Members = [plan.Members[0] with { AgentInstance = "x" }] }, HttpStatusCode.Conflict, "asks agent x, which is gone"),
            (plan with { WorkersPerMember = 8 }, HttpStatusCode.BadRequest, "workersPerMember is 8, this pod has 1"),
            (plan with { Protocol = 99 }, HttpStatusCode.BadRequest, "protocol 99 is not spoken here"),
        })
        {
            var (answered, body) = await agent.PutPlanAsync(wrong);
            Assert.Equal(code, answered);
            Assert.Contains(message, body, StringComparison.Ordinal);
        }

        Assert.Equal(AgentState.Idle, (await agent.StatusAsync()).State);
    }

    [Fact]
    public async Task The_same_plan_again_is_fine_and_another_plan_for_the_same_epoch_is_a_fault()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var plan = await agent.PlanAsync(2);
        Assert.Equal(HttpStatusCode.Accepted, (await agent.PutPlanAsync(plan)).Code);
        var running = await agent.UntilAsync(s => s.Workers is [{ Pid: not null }]);
        Assert.Equal(plan.Id.Digest, running.PlanDigest);

        Assert.Equal(HttpStatusCode.OK, (await agent.PutPlanAsync(plan)).Code);
        var (code, body) = await agent.PutPlanAsync(plan with { TemplateRevision = "other" });
        Assert.Equal(HttpStatusCode.Conflict, code);
        Assert.Contains("two plans for one epoch", body, StringComparison.Ordinal);
        Assert.Equal(running.Workers[0].Pid, (await agent.StatusAsync()).Workers[0].Pid);
        Assert.Equal(HttpStatusCode.Conflict, (await agent.PutPlanAsync(await agent.PlanAsync(1))).Code);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[1]")]
    public async Task A_body_that_is_no_plan_is_refused_and_changes_nothing(string body)
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var (code, answer) = await agent.PutAsync("/v1/plan", Encoding.UTF8.GetBytes(body));
        Assert.Equal(HttpStatusCode.BadRequest, code);
        Assert.Contains("\"error\"", answer, StringComparison.Ordinal);
        Assert.Equal(AgentState.Idle, (await agent.StatusAsync()).State);
    }

    [Fact]
    public async Task A_body_too_large_is_refused()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Put, "/v1/plan") { Content = new ByteArrayContent(new byte[9 << 20]), Headers = { ExpectContinue = true } };
        using var answer = await agent.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task Control_needs_a_running_plan_rank_0_and_no_lower_revision()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        Assert.Contains("no plan runs here", (await agent.PutControlAsync(new() { Epoch = 1, Revision = 1 })).Body, StringComparison.Ordinal);
        await agent.PutPlanAsync(await agent.PlanAsync(1, member: 1));
        await agent.UntilAsync(s => s.Workers is [{ Pid: not null }]);
        Assert.Contains("rank 0 is not here", (await agent.PutControlAsync(new() { Epoch = 1, Revision = 1 })).Body, StringComparison.Ordinal);

        await agent.PutPlanAsync(await agent.PlanAsync(2, member: 0));
        await agent.UntilAsync(s => s.Workers is [{ Rank: 0, Pid: not null }]);
        Assert.Contains("epoch 1 does not run here", (await agent.PutControlAsync(new() { Epoch = 1, Revision = 1 })).Body, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, (await agent.PutControlAsync(new() { Epoch = 2, Revision = 3 })).Code);
        Assert.Contains("revision 2 is over: 3", (await agent.PutControlAsync(new() { Epoch = 2, Revision = 2 })).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_ending_agent_reports_its_true_epoch_and_takes_no_plan()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        await agent.PutFenceAsync(7);

        await agent.EndAsync();

        Assert.Equal(7, (await agent.StatusAsync()).Epoch);
        var (code, why) = await agent.PutPlanAsync(await agent.PlanAsync(8));
        Assert.Equal(HttpStatusCode.Conflict, code);
        Assert.Contains("is ending", why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var error = await Assert.ThrowsAsync<TrainerException>(() => Trainer.Agent.AgentCommand.RunAsync(agent.Options with { RunDirectory = Path.GetTempPath() }, TextWriter.Null, default));
        Assert.Equal(WorkerExit.PortInUse, error.Exit);
        Assert.Contains($"port {agent.Port} on 127.0.0.1 is taken", error.Message, StringComparison.Ordinal);
    }
}
