using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.Kubelet;

public sealed class TokenTests
{
    private static readonly Caller Tester = new("tester", "tests", ["system:masters", "system:authenticated"]);

    [Fact]
    public async Task A_token_is_kept_for_four_fifths_of_its_life_and_then_renewed()
    {
        var clock = new VirtualTime();
        await using var cluster = await Cluster.StartAsync(new ClusterOptions { Seed = 1 }, clock, CancellationToken.None);
        await cluster.IdleAsync();
        var pod = await cluster.Api.CreateAsync(
            Kinds.Pods, "default", (JsonObject)JsonNode.Parse("""{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}""")!, Tester, CancellationToken.None);
        var sources = new ApiPodSources(cluster.Context.Caches, new NodeLink(cluster.Api, "n", clock), clock);

        var first = await sources.TokenAsync(pod, null, 3600, CancellationToken.None);
        Assert.NotEqual(first, await sources.TokenAsync(pod, "elsewhere", 3600, CancellationToken.None));
        await clock.AdvanceAsync(TimeSpan.FromMinutes(47), () => cluster.IdleAsync());
        Assert.Equal(first, await sources.TokenAsync(pod, null, 3600, CancellationToken.None));

        await clock.AdvanceAsync(TimeSpan.FromMinutes(2), () => cluster.IdleAsync());
        Assert.NotEqual(first, await sources.TokenAsync(pod, null, 3600, CancellationToken.None));
    }
}
