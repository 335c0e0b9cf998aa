using System.Net;
using System.Text;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

/// <summary>A pod of one job in a stranger's hands: it holds its own job's token, reaches every port and the store, and means harm to another job.</summary>
public sealed class CompromisedPodTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Its_own_jobs_token_opens_no_endpoint_of_another_jobs_agent()
    {
        await using var victim = await AgentUnderTest.StartAsync();
        var before = await victim.UntilAsync(s => s.Store.Reachable);
        using var attacker = new HttpClient { BaseAddress = victim.Http.BaseAddress, DefaultRequestHeaders = { Authorization = new("Bearer", "token-of-the-attackers-job") } };
        var routes = victim.Routes.Where(r => r.Path.StartsWith("/v1", StringComparison.Ordinal)).ToArray();
        Assert.True(routes.Length >= 15, $"{routes.Length} routes");

        foreach (var (method, path) in routes)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path.Replace("{**name}", "c", StringComparison.Ordinal)) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
            using var answer = await attacker.SendAsync(request, Cancelled);
            Assert.True(answer.StatusCode is HttpStatusCode.Unauthorized, $"{method} {path}: {answer.StatusCode}");
        }

        var after = await victim.StatusAsync();
        Assert.Equal((before.State, before.Epoch, before.Instance), (after.State, after.Epoch, after.Instance));
        Assert.Empty(Directory.EnumerateFileSystemEntries(victim.StoreFolder));
    }

    [Fact]
    public async Task What_lies_open_tells_nothing_of_the_job()
    {
        await using var victim = await AgentUnderTest.StartAsync();
        using var attacker = new HttpClient { BaseAddress = victim.Http.BaseAddress };
        Assert.Equal(["/healthz", "/metrics"], victim.Routes.Select(r => r.Path).Where(p => !p.StartsWith("/v1", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

        var metrics = await attacker.GetStringAsync("/metrics", Cancelled);

        foreach (var secret in new[] { AgentUnderTest.Token, TestRun.JobUid, victim.Options.TokenFile }) Assert.DoesNotContain(secret, metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Even_with_the_other_jobs_token_it_cannot_have_that_agent_run_for_its_own_job()
    {
        await using var victim = await AgentUnderTest.StartAsync();

        Assert.Equal(HttpStatusCode.Conflict, (await victim.PutPlanAsync(await victim.PlanAsync(7) with { JobUid = "attacker" })).Code);
        Assert.Equal(HttpStatusCode.Conflict, (await victim.PutFenceAsync(7, uid: "attacker")).Code);

        Assert.Equal((AgentState.Idle, 0L), ((await victim.StatusAsync()).State, (await victim.StatusAsync()).Epoch));
    }

    [Fact]
    public async Task With_credentials_of_the_same_store_it_can_neither_fence_nor_commit_in_another_jobs_log()
    {
        await using var victim = await AgentUnderTest.StartAsync();
        using (var log = TestRun.Log(victim.Store)) await log.FenceAsync(3, adopt: false, Cancelled);

        using var attackers = TestRun.Log(victim.Store, uid: "attacker");
        await Assert.ThrowsAsync<StoreFencedException>(() => attackers.FenceAsync(99, adopt: false, Cancelled));

        Assert.Equal(HttpStatusCode.OK, (await victim.PutFenceAsync(4)).Code);
    }
}
