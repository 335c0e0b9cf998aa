using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>A pod of a dead machine stays Terminating for ever, but for these ways out (and the deletion of its node, which takes 40 s: see the tests in virtual time).</summary>
public sealed class StuckPodTests
{
    private const string LeavesSoon = """
        {"nodeName":"node-1","tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":0},{"key":"node.kubernetes.io/not-ready","operator":"Exists"}]}
        """;

    public static TheoryData<string> WaysOut => ["the node returns", "the node is out of service", "the pod is force-deleted"];

    [Theory]
    [MemberData(nameof(WaysOut))]
    public async Task A_pod_of_a_dead_machine_is_Terminating_until(string wayOut)
    {
        await using var test = await ProcessCluster.StartAsync(nodes: 2);
        await test.RunAsync("p", "sleep 1000", spec: LeavesSoon);
        var uid = (await test.UntilRunningAsync("p")).Uid;
        await test.Cluster.Nodes!.KillAsync("node-1", CancellationToken.None);
        await test.UntilAsync("p", p => p.IsTerminating, "marked by its taint");
        var node = await test.Api.GetAsync(Kinds.Nodes, null, "node-1", CancellationToken.None);
        Assert.Equal("Unknown", Condition.StatusOf(node, "Ready"));
        Assert.Contains(Taint.Of(node), t => t is { Key: Taint.Unreachable, Effect: Taint.NoExecute });
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.Equal(uid, (await test.FindAsync("p"))?.Uid);   // its kubelet is silent: nobody else lets it go

        await TakeAsync(test, wayOut);

        await test.UntilGoneAsync("p");
        Assert.Empty(test.Cluster.Nodes.AllProcessesOf(uid));
    }

    private static Task TakeAsync(ProcessCluster test, string wayOut) => wayOut switch
    {
        "the node returns" => test.Cluster.Nodes!.ReturnAsync("node-1", CancellationToken.None),
        "the node is out of service" => test.Api.PatchAsync(
            Kinds.Nodes, null, "node-1", PatchKind.StrategicMerge, Make.Json("""{"spec":{"taints":[{"key":"node.kubernetes.io/out-of-service","value":"nodeshutdown","effect":"NoExecute"}]}}"""), ProcessCluster.Tester, CancellationToken.None),
        _ => test.DeleteAsync("p", """{"gracePeriodSeconds":0}"""),
    };
}
