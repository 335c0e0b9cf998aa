using System.Net;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class CheckpointMarkTests
{
    [Fact]
    public async Task Pinning_and_condemning_through_the_agent_is_in_the_log_once_and_retention_and_restores_obey_it()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var saved = await SaveAsync(agent, steps: 3);
        Assert.Equal(HttpStatusCode.OK, (await MarkAsync(agent, new() { Entry = saved[0].Entry, ManifestDigest = saved[0].ManifestDigest, Pinned = true })).Code);
        var condemned = new CheckpointMark { Entry = saved[2].Entry, ManifestDigest = saved[2].ManifestDigest, Condemn = "the onset lies before it" };
        var (code, body) = await MarkAsync(agent, condemned);
        Assert.Equal(HttpStatusCode.OK, code);
        var catalogue = JsonSerializer.Deserialize(body, ProtocolJson.Default.Catalogue)!;
        Assert.Equal([(true, HealthVerdict.Pending), (false, HealthVerdict.Pending), (false, HealthVerdict.Condemned)], catalogue.Checkpoints.Select(c => (c.Pinned, c.Verdict)));

        Assert.Equal(body, (await MarkAsync(agent, condemned)).Body);   // saying it again adds no entry
        using var log = TestRun.Log(agent.Store);
        var state = await log.ReadAsync(default);
        Assert.Equal("the onset lies before it", state.Checkpoints[saved[2].Entry].Reason);
        Assert.DoesNotContain(RetentionRule.Choose(state, new() { Last = 1, EverySteps = 0 }), c => c.Entry == saved[0].Entry);
        Assert.DoesNotContain(RestoreProtocol.Candidates(state, saved[1]), c => c.Entry == saved[2].Entry);
    }

    [Fact]
    public async Task What_is_said_of_no_checkpoint_of_this_store_or_without_a_reason_is_refused()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var saved = await SaveAsync(agent, steps: 1);
        Assert.Equal(HttpStatusCode.NotFound, (await MarkAsync(agent, new() { Entry = saved[0].Entry, ManifestDigest = "of another store", Pinned = true })).Code);
        Assert.Equal(HttpStatusCode.NotFound, (await MarkAsync(agent, new() { Entry = 99, ManifestDigest = saved[0].ManifestDigest, Pinned = true })).Code);
        var (code, body) = await MarkAsync(agent, new() { Entry = saved[0].Entry, ManifestDigest = saved[0].ManifestDigest, Condemn = " " });
        Assert.Equal((HttpStatusCode.BadRequest, true), (code, body.Contains("it must say why", StringComparison.Ordinal)));
        using var log = TestRun.Log(agent.Store);
        Assert.Equal(2, (await log.ReadAsync(default)).Entry);
    }

    private static Task<(HttpStatusCode Code, string Body)> MarkAsync(AgentUnderTest agent, CheckpointMark mark) =>
        agent.PutAsync("/v1/checkpoints", JsonSerializer.SerializeToUtf8Bytes(mark, ProtocolJson.Default.CheckpointMark));

    private static async Task<IReadOnlyList<CheckpointSummary>> SaveAsync(AgentUnderTest agent, int steps)
    {
        using var log = TestRun.Log(agent.Store);
        await log.FenceAsync(1, adopt: false, default);
        await using var run = TestRun.Start(agent.Store, 1, TestModel.World(1, 1, step: 1));
        for (var step = 1; step <= steps; step++) Assert.True((await run.SaveAsync(step)).Committed);
        return (await log.ReadAsync(default)).ToCatalogue().Checkpoints;
    }
}
