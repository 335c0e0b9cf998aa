using System.Net;
using System.Text;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Agent;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

/// <summary>What an agent tells of the time before it: any agent of the job can, since the store remembers.</summary>
public sealed class ArchiveEndpointTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Step_records_of_an_earlier_epoch_come_back_in_order_page_by_page()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        for (var part = 1; part <= 20; part++) await StoreAsync(agent, epoch: 2, part, Enumerable.Range((part - 1) * 200 + 1, 200));
        await StoreAsync(agent, epoch: 12, 1, [1]);

        var first = await PageAsync(agent, 2, 0);
        var second = await PageAsync(agent, 2, first.Next);
        var none = await PageAsync(agent, 1, 0);

        Assert.Equal((16, false), (first.Next, first.Ended));
        Assert.Equal((20, true), (second.Next, second.Ended));
        Assert.Equal(Enumerable.Range(1, 4000).Select(i => (long)i), first.Records.Concat(second.Records).Select(r => r.Step));
        Assert.Equal((0, true, 0), (none.Next, none.Ended, none.Records.Count));
        Assert.Empty((await PageAsync(agent, 2, 20)).Records);
    }

    [Fact]
    public async Task The_logbook_is_all_that_the_store_holds_with_what_came_of_each_decision()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        await agent.PutFenceAsync(1);
        LogbookEntry[] entries = [.. Enumerable.Range(0, 50).Select(i => new LogbookEntry { Time = DateTimeOffset.UnixEpoch.AddMinutes(i), Epoch = 1, Step = i, Actor = "operator", What = $"did {i}", Why = "it was time" })];
        await RecordAsync(agent, entries);
        await RecordAsync(agent, entries[7] with { Outcome = "it helped" });

        var page = JsonSerializer.Deserialize(await agent.Http.GetByteArrayAsync("/v1/logbook", Cancelled), ProtocolJson.Default.LogbookPage)!;

        Assert.Equal(50, page.Total);
        Assert.Equal(entries.Select(e => e.What), page.Entries.Select(e => e.What));
        Assert.Equal("it helped", page.Entries[7].Outcome);
    }

    [Theory]
    [InlineData("epoch=-1&after=0")]
    [InlineData("epoch=1&after=2000000001")]
    [InlineData("epoch=one")]
    public async Task A_wrong_question_is_told_what_is_wrong(string query)
    {
        await using var agent = await AgentUnderTest.StartAsync();

        using var answer = await agent.Http.GetAsync($"/v1/archive?{query}", Cancelled);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("epoch and after must be whole numbers", await answer.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
    }

    private static async Task StoreAsync(AgentUnderTest agent, long epoch, int part, IEnumerable<int> steps)
    {
        var lines = steps.Select(step => JsonSerializer.Serialize(Record(epoch, step), ProtocolJson.Default.StepRecord) + "\n");
        Assert.True(await agent.Store.TryCreateAsync(StepArchive.NameOf(epoch, part), Encoding.UTF8.GetBytes(string.Concat(lines)), Cancelled));
    }

    private static StepRecord Record(long epoch, long step) => new()
    {
        Epoch = epoch, Revision = 0, Attempt = step, Step = step, Samples = step, Tokens = step, Loss = 2, LearningRate = 1e-4, LossScale = 1, GradientNorm = 1, Skipped = false, Time = DateTimeOffset.UnixEpoch, Seconds = 1, TokensPerSecond = 1,
        HyperParameters = TestRun.HyperParameters,
    };

    private static async Task RecordAsync(AgentUnderTest agent, params LogbookEntry[] entries) =>
        Assert.Equal(HttpStatusCode.OK, (await agent.PutAsync("/v1/logbook", JsonSerializer.SerializeToUtf8Bytes(new LogbookRequest { Entries = [.. entries] }, ProtocolJson.Default.LogbookRequest))).Code);

    private static async Task<ArchivePage> PageAsync(AgentUnderTest agent, long epoch, int after) =>
        JsonSerializer.Deserialize(await agent.Http.GetByteArrayAsync($"/v1/archive?epoch={epoch}&after={after}", Cancelled), ProtocolJson.Default.ArchivePage)!;
}
