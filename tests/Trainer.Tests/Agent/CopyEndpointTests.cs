using System.Net;
using System.Net.Http.Headers;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class CopyEndpointTests
{
    private static readonly string Name = $"/v1/copies/{CheckpointNames.Folder(7, 9, 1)}/{CheckpointNames.Shard(3)}";

    [Fact]
    public async Task An_agent_keeps_a_copy_larger_than_any_plan_and_serves_ranges_of_it()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        var bytes = new byte[9 << 20];
        new Random(1).NextBytes(bytes);
        Assert.Equal(HttpStatusCode.Created, (await agent.PutAsync(Name, bytes)).Code);

        using var request = new HttpRequestMessage(HttpMethod.Get, Name) { Headers = { Range = new RangeHeaderValue(5_000_000, 5_000_999) } };
        using var answer = await agent.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal(bytes[5_000_000..5_001_000], await answer.Content.ReadAsByteArrayAsync());
        Assert.Contains("\"bytes\":9437184", await agent.Http.GetStringAsync("/v1/copies"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/copies/checkpoints/notes.txt")]
    [InlineData("/v1/copies/..%2F..%2Ftoken")]
    [InlineData("/v1/copies/")]
    public async Task Any_other_name_is_refused(string path)
    {
        await using var agent = await AgentUnderTest.StartAsync();
        Assert.Equal(HttpStatusCode.BadRequest, (await agent.PutAsync(path, [1])).Code);
        if (path == "/v1/copies/") return;   // the list
        using var answer = await agent.Http.GetAsync(path);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Fact]
    public async Task After_a_fence_no_copy_of_an_older_epoch_is_taken()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        Assert.Equal(HttpStatusCode.Created, (await agent.PutAsync(Name, [1])).Code);
        Assert.Equal(HttpStatusCode.OK, (await agent.PutFenceAsync(2)).Code);
        Assert.Equal(HttpStatusCode.Conflict, (await agent.PutAsync(Name, [2])).Code);
    }

    [Fact]
    public async Task Copies_need_the_jobs_token()
    {
        await using var agent = await AgentUnderTest.StartAsync();
        agent.Http.DefaultRequestHeaders.Authorization = null;
        Assert.Equal(HttpStatusCode.Unauthorized, (await agent.PutAsync(Name, [1])).Code);
        using var answer = await agent.Http.GetAsync("/v1/copies");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }
}
