using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Kubelet;

/// <summary>The whole cluster ends and starts again on the same state.</summary>
public sealed class RestartTests
{
    [Fact]
    public async Task A_cluster_that_starts_again_on_its_state_runs_its_pods_again_and_keeps_their_last_log()
    {
        await using var test = await ProcessCluster.StartAsync(persist: true);
        await test.RunAsync("stays", "echo first life; exec sleep 1000");
        await test.RunAsync("done", "echo done", spec: """{"restartPolicy":"Never"}""");
        var before = await test.UntilRunningAsync("stays");
        await test.UntilAsync("done", p => p.Phase == "Succeeded", "succeeded");
        await test.UntilLogAsync("stays", "first life");

        await test.RestartAsync();

        var after = await test.UntilAsync("stays", p => p.IsRunningAndReady && ProcessCluster.Container(p).Number("restartCount") == 1, "running again");
        Assert.Equal(before.Uid, after.Uid);
        Assert.Equal("Unknown", ProcessCluster.Container(after).Text("lastState", "terminated", "reason"));
        Assert.Equal("first life\n", await test.LogAsync("stays", previous: true));
        Assert.Equal("done\n", await test.LogAsync("done"));
        Assert.Equal("Succeeded", (await test.FindAsync("done"))!.Phase);
        Assert.Single(test.Cluster.Nodes!.ProcessesOf(after.Uid));
    }

    [Fact]
    public async Task Without_kept_objects_the_folders_of_pods_from_before_are_removed()
    {
        await using var test = await ProcessCluster.StartAsync();
        await test.RunAsync("p", "sleep 1000");
        var uid = (await test.UntilRunningAsync("p")).Uid;
        var folder = Path.Combine(test.Data, "nodes", "node-1", "pods", uid);
        Assert.True(Directory.Exists(folder));

        await test.RestartAsync();

        Assert.Null(await test.FindAsync("p"));
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task The_dogs_of_two_runs_on_one_directory_do_not_bite_each_others_pods()
    {
        await using var test = await ProcessCluster.StartAsync(persist: true);
        var first = test.Cluster.Nodes!.Instance;

        await test.RestartAsync();

        Assert.NotEqual(first, test.Cluster.Nodes.Instance);
        Assert.Equal(first.Split('-')[0], test.Cluster.Nodes.Instance.Split('-')[0]);   // found again by the next start
    }
}
