using System.Diagnostics;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;
using Opt.LocalCluster.Simulation;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.Simulation;

/// <summary>Size. The full one runs with the seeded sets (<c>make soak</c>); everyday runs take an eighth.</summary>
public sealed class ScaleTests
{
    private static readonly int Size = Environment.GetEnvironmentVariable("OPT_SOAK") == "1" ? 2048 : 256;

    [Fact]
    public async Task Thousands_of_nodes_and_pods_fit_into_a_gigabyte()
    {
        var clock = new VirtualTime();
        await using var cluster = await Cluster.StartAsync(new ClusterOptions { Seed = 1 }, clock, CancellationToken.None);
        await using var nodes = await SimulatedNodes.StartAsync(cluster, new() { Count = Size }, CancellationToken.None);
        await cluster.Api.CreateAsync(
            Kinds.StatefulSets, "default", Make.Json(SimulatedNodesTests.StatefulSet(Size)), new("tester", "tests", []), CancellationToken.None);
        await cluster.IdleAsync();
        await clock.AdvanceAsync(TimeSpan.FromMinutes(1), () => cluster.IdleAsync());

        Assert.Equal(Size, (await cluster.Api.GetAsync(Kinds.StatefulSets, "default", "job", CancellationToken.None)).Number("status", "readyReplicas"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{Size}: {Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds:F1} s of CPU, {Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB at most, {GC.GetTotalMemory(true) >> 20} MiB live");
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true), 0, 1L << 30);
    }
}
