using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Selectors;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

/// <summary>Measures the memory of the whole process, so nothing else may run beside it.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

[Collection("alone")]
public sealed class StoreMemoryTests
{
    private static readonly Caller Me = new("admin", "tests", ["system:masters"]);

    [Fact]
    public async Task Ten_thousand_pods_take_under_a_hundred_megabytes()
    {
        await using var server = await EmbeddedApiServer.StartAsync(new ApiServerOptions { Clock = new VirtualTime(), Seed = 1 }, TestContext.Current.CancellationToken);
        var body = (JsonObject)JsonNode.Parse("""{"metadata":{"generateName":"p-","labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"example.com/c:1","env":[{"name":"A","value":"b"}]}]}}""")!;
        await server.Api.CreateAsync(ResourceId.Pods, "default", body, Me, CancellationToken.None);   // what is made once is no pod's
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 1; i < 2_000; i++) await server.Api.CreateAsync(ResourceId.Pods, "default", body, Me, CancellationToken.None);

        // Measured over a fifth of them, history included, to keep the test short.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, 1_000_000, 20_000_000);
        Assert.Equal(2_000, Reader.List(server.Context, server.Context.Kinds.Find(ResourceId.Pods)!, null, Selection.All).Items.Count);
    }
}
