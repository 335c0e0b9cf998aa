using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>Machines that die, are cut off, and come back.</summary>
public sealed class MachineFailureTests
{
    private const string ToleratesLittle = """
        {"tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":1},{"key":"node.kubernetes.io/not-ready","operator":"Exists"}]}
        """;

    [Fact]
    public async Task A_killed_machine_loses_its_processes_goes_silent_and_finishes_its_pods_when_it_returns()
    {
        await using var test = await ProcessCluster.StartAsync(nodes: 2);
        await test.RunAsync("p", "sleep 1000", spec: ToleratesLittle);
        await test.RunAsync("keep", "echo run; sleep 1000", spec: """{"nodeName":"node-1","tolerations":[{"operator":"Exists"}]}""");
        var node = (await test.UntilRunningAsync("p")).NodeName;
        var kept = await test.UntilRunningAsync("keep");
        await test.Cluster.Nodes!.KillAsync(node, CancellationToken.None);
        if (node != "node-1") await test.Cluster.Nodes.KillAsync("node-1", CancellationToken.None);

        Assert.Empty(test.Cluster.Nodes.AllProcessesOf((await test.FindAsync("p"))!.Uid));
        Assert.Empty(test.Cluster.Nodes.AllProcessesOf(kept.Uid));
        await test.UntilAsync("p", p => Condition.StatusOf(p, "Ready") == "False", "not ready");
        if (node == "node-1")
        {
            var stuck = await test.UntilAsync("p", p => p.IsTerminating, "terminating");
            Assert.Equal("Running", stuck.Phase);
        }

        await test.Cluster.Nodes.ReturnAsync("node-1", CancellationToken.None);
        if (node != "node-1") await test.Cluster.Nodes.ReturnAsync(node, CancellationToken.None);

        var back = await test.UntilAsync("keep", p => p.IsRunningAndReady && ProcessCluster.Container(p).Number("restartCount") == 1, "running again");
        Assert.Equal(kept.PodIp, back.PodIp);
        Assert.Equal("Unknown", ProcessCluster.Container(back).Text("lastState", "terminated", "reason"));
        if (node == "node-1") await test.UntilGoneAsync("p");
    }

    [Fact]
    public async Task A_cut_machine_keeps_its_processes_and_kills_what_it_no_longer_owns_when_it_rejoins()
    {
        await using var test = await ProcessCluster.StartAsync(nodes: 2);
        await test.RunAsync("p", "sleep 1000", spec: """{"tolerations":[{"operator":"Exists"}]}""");
        var pod = await test.UntilRunningAsync("p");
        await test.Cluster.Nodes!.CutAsync(pod.NodeName, CancellationToken.None);
        await test.UntilAsync("p", p => Condition.StatusOf(p, "Ready") == "False", "not ready");
        Assert.Equal(MachineState.Cut, test.Cluster.Nodes.StateOf(pod.NodeName));

        await test.DeleteAsync("p", """{"gracePeriodSeconds":0}""");
        Assert.NotEmpty(test.Cluster.Nodes.AllProcessesOf(pod.Uid));   // split brain: the server forgot it, the machine has not heard

        await test.Cluster.Nodes.ReturnAsync(pod.NodeName, CancellationToken.None);
        await ProcessCluster.EventuallyAsync(() => Task.FromResult(test.Cluster.Nodes.AllProcessesOf(pod.Uid).Count == 0), () => "killed after rejoining");
    }

    [Fact]
    public async Task A_cut_machine_that_still_owns_its_pod_goes_on_without_a_restart()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "sleep 1000", spec: """{"tolerations":[{"operator":"Exists"}]}""");
        var process = test.Cluster.Nodes!.ProcessesOf((await test.UntilRunningAsync("p")).Uid).Single();
        await test.Cluster.Nodes.CutAsync("node-1", CancellationToken.None);
        await test.UntilAsync("p", p => Condition.StatusOf(p, "Ready") == "False", "not ready");

        await test.Cluster.Nodes.ReturnAsync("node-1", CancellationToken.None);

        var back = await test.UntilRunningAsync("p");
        Assert.Equal(0, ProcessCluster.Container(back).Number("restartCount"));
        Assert.Equal(process, test.Cluster.Nodes.ProcessesOf(back.Uid).Single());
        await ProcessCluster.EventuallyAsync(async () => Taint.Of(await test.Api.GetAsync(Kinds.Nodes, null, "node-1", CancellationToken.None)).Count == 0, () => "untainted");
    }

    [Fact]
    public async Task Two_clusters_never_share_an_address_or_a_data_directory()
    {
        await using var one = await ProcessCluster.StartAsync();
        await using var two = await ProcessCluster.StartAsync();
        await one.RunAsync("p", "sleep 100");
        await two.RunAsync("p", "sleep 100");

        Assert.NotEqual((await one.UntilRunningAsync("p")).PodIp, (await two.UntilRunningAsync("p")).PodIp);
        var taken = await Assert.ThrowsAsync<IOException>(() => ProcessCluster.StartAsync(data: one.Data));
        Assert.Contains("is used by another opt-local", taken.Message, StringComparison.Ordinal);
    }
}
