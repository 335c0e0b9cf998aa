using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Kubelet;
using Opt.LocalCluster.Objects;
using Opt.LocalCluster.Simulation;
using Opt.Testing;

namespace Opt.LocalCluster.Tests.Simulation;

public sealed class SimulatedNodesTests
{
    private static readonly Caller Tester = new("tester", "tests", ["system:masters", "system:authenticated"]);

    internal static string StatefulSet(int replicas) => $$$"""
        {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"job","namespace":"default"},"spec":{"serviceName":"job","replicas":{{{replicas}}},
         "podManagementPolicy":"Parallel","updateStrategy":{"type":"OnDelete"},"selector":{"matchLabels":{"app":"job"} },
         "template":{"metadata":{"labels":{"app":"job"} },"spec":{"tolerations":[{"operator":"Exists"}],
          "affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchLabels":{"app":"job"} },"topologyKey":"kubernetes.io/hostname"}]} },
          "containers":[{"name":"c","image":"i","resources":{"limits":{"nvidia.com/gpu":"8"} } }]} } } }
        """;

    private static async Task<(Cluster Cluster, SimulatedNodes Nodes, VirtualTime Clock)> StartAsync(SimulatedNodeOptions options)
    {
        var clock = new VirtualTime();
        var cluster = await Cluster.StartAsync(new ClusterOptions { Seed = 1 }, clock, CancellationToken.None);
        return (cluster, await SimulatedNodes.StartAsync(cluster, options, CancellationToken.None), clock);
    }

    private static Task<JsonObject> ApplyAsync(Cluster cluster, string body) =>
        cluster.Api.CreateAsync(Kinds.StatefulSets, "default", Make.Json(body), Tester, CancellationToken.None);

    private static Task<JsonObject> PodAsync(Cluster cluster, string name) => cluster.Api.GetAsync(Kinds.Pods, "default", name, CancellationToken.None);

    private static async Task<long> ReadyAsync(Cluster cluster) =>
        (await cluster.Api.GetAsync(Kinds.StatefulSets, "default", "job", CancellationToken.None)).Number("status", "readyReplicas") ?? 0;

    [Fact]
    public async Task A_hundred_and_twenty_four_pods_are_ready_without_the_clock_moving()
    {
        var (cluster, nodes, _) = await StartAsync(new() { Count = 130 });
        await using var _1 = cluster;
        await using var _2 = nodes;

        await ApplyAsync(cluster, StatefulSet(124));
        await cluster.IdleAsync();

        Assert.Equal(124, await ReadyAsync(cluster));
        var pods = (await cluster.Api.ListAsync(Kinds.Pods, "default", ListQuery.All, CancellationToken.None)).Objects("items").ToList();
        Assert.Equal(124, pods.Select(p => p.NodeName).Distinct().Count());
        Assert.Equal(124, pods.Select(p => p.PodIp).Distinct().Count());
    }

    [Fact]
    public async Task A_killed_node_takes_its_script_with_it_and_its_return_starts_it_anew()
    {
        var scripts = new List<Recorder>();
        var (cluster, nodes, clock) = await StartAsync(new() { Count = 2, Script = _ => Record(scripts) });
        await using var _1 = cluster;
        await using var _2 = nodes;
        await ApplyAsync(cluster, StatefulSet(2));
        await cluster.IdleAsync();
        var pod = await PodAsync(cluster, "job-0");

        nodes.Kill(pod.NodeName);
        await clock.AdvanceAsync(TimeSpan.FromMinutes(2), () => cluster.IdleAsync());
        Assert.Equal("dead", scripts.Single(s => s.Ip == pod.PodIp).Log[^1]);
        Assert.Null(nodes.At(pod.PodIp));
        Assert.Equal("False", Condition.StatusOf(await PodAsync(cluster, "job-0"), "Ready"));
        Assert.Equal("Unknown", Condition.StatusOf(await cluster.Api.GetAsync(Kinds.Nodes, null, pod.NodeName, CancellationToken.None), "Ready"));

        await nodes.ReturnAsync(pod.NodeName, CancellationToken.None);
        await cluster.IdleAsync();
        var back = await PodAsync(cluster, "job-0");
        Assert.True(back.IsRunningAndReady);
        Assert.Equal((pod.Uid, pod.PodIp, 1L), (back.Uid, back.PodIp, back.Objects("status", "containerStatuses").Single().Number("restartCount")));
        Assert.NotNull(nodes.At(pod.PodIp));
    }

    [Fact]
    public async Task A_cut_node_keeps_its_scripts_and_hears_of_deletions_when_it_rejoins()
    {
        var scripts = new List<Recorder>();
        var (cluster, nodes, clock) = await StartAsync(new() { Count = 1, Script = _ => Record(scripts) });
        await using var _1 = cluster;
        await using var _2 = nodes;
        await ApplyAsync(cluster, StatefulSet(1));
        await cluster.IdleAsync();
        var pod = await PodAsync(cluster, "job-0");
        nodes.Cut(pod.NodeName);
        await clock.AdvanceAsync(TimeSpan.FromMinutes(2), () => cluster.IdleAsync());
        await cluster.Api.DeleteAsync(Kinds.Pods, "default", "job-0", Make.Json("""{"gracePeriodSeconds":0}"""), Tester, CancellationToken.None);
        await cluster.IdleAsync();
        Assert.DoesNotContain("dead", scripts[0].Log);

        await nodes.ReturnAsync(pod.NodeName, CancellationToken.None);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(10), () => cluster.IdleAsync());

        Assert.Contains("dead", scripts[0].Log);
        Assert.Equal(MachineState.Up, nodes.StateOf(pod.NodeName));
        Assert.True((await PodAsync(cluster, "job-0")).IsRunningAndReady);
    }

    [Fact]
    public async Task A_deleted_pod_may_take_its_grace_period_and_not_more()
    {
        var (cluster, nodes, clock) = await StartAsync(new() { Count = 1, Script = _ => new Stubborn() });
        await using var _1 = cluster;
        await using var _2 = nodes;
        await ApplyAsync(cluster, StatefulSet(1));
        await cluster.IdleAsync();
        var uid = (await PodAsync(cluster, "job-0")).Uid;
        await cluster.Api.DeleteAsync(Kinds.Pods, "default", "job-0", null, Tester, CancellationToken.None);

        await clock.AdvanceAsync(TimeSpan.FromSeconds(29), () => cluster.IdleAsync());
        Assert.Equal(uid, (await PodAsync(cluster, "job-0")).Uid);
        await clock.AdvanceAsync(TimeSpan.FromSeconds(2), () => cluster.IdleAsync());
        Assert.NotEqual(uid, (await PodAsync(cluster, "job-0")).Uid);
    }

    [Fact]
    public async Task A_script_that_exits_is_started_again_with_back_off()
    {
        var starts = 0;
        var (cluster, nodes, clock) = await StartAsync(new() { Count = 1, Script = _ => new Crasher(() => starts++) });
        await using var _1 = cluster;
        await using var _2 = nodes;
        await ApplyAsync(cluster, StatefulSet(1));
        await cluster.IdleAsync();
        Assert.Equal(2, starts);   // the first restart is at once

        await clock.AdvanceAsync(TimeSpan.FromSeconds(31), () => cluster.IdleAsync());
        Assert.Equal(4, starts);   // after 10 s and 20 s more
    }

    private static Recorder Record(List<Recorder> scripts)
    {
        scripts.Add(new Recorder());
        return scripts[^1];
    }

    private sealed class Recorder : ISimulatedPod
    {
        public List<string> Log { get; } = [];
        public string Ip { get; private set; } = "";

        public async ValueTask StartAsync(SimulatedPodContext context, CancellationToken ct)
        {
            Ip = context.Ip;
            Log.Add("started");
            await context.RunAsync(ready: true, ct);
        }

        public ValueTask StopAsync(TimeSpan grace, CancellationToken ct)
        {
            Log.Add("stopped");
            return default;
        }

        public void Dead() => Log.Add("dead");
    }

    private sealed class Stubborn : ISimulatedPod
    {
        public async ValueTask StartAsync(SimulatedPodContext context, CancellationToken ct) => await context.RunAsync(ready: true, ct);

        public ValueTask StopAsync(TimeSpan grace, CancellationToken ct) => default;

        public void Dead()
        {
        }
    }

    private sealed class Crasher(Action started) : ISimulatedPod
    {
        public async ValueTask StartAsync(SimulatedPodContext context, CancellationToken ct)
        {
            started();
            await context.ExitAsync(1, ct);
        }

        public ValueTask StopAsync(TimeSpan grace, CancellationToken ct) => default;

        public void Dead()
        {
        }
    }
}
