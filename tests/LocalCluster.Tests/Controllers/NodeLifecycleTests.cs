using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.NodeLifecycle;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Controllers;

public sealed class NodeLifecycleTests
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(40);

    [Fact]
    public void A_node_is_judged_by_changes_seen_not_by_the_times_written()
    {
        var node = Make.Node("n1").With("status.conditions", new JsonArray(Make.Json("""{"type":"Ready","status":"True","lastHeartbeatTime":"1999-01-01T00:00:00Z"}""")));
        var first = NodeHealth.Observe(null, node, null, Make.Now);
        var same = NodeHealth.Observe(first, node, null, Make.Now + Grace);
        var lease = Make.Json("""{"spec":{"renewTime":"1999-01-01T00:00:01.000000Z"}}""");
        var renewed = NodeHealth.Observe(same, node, lease, Make.Now + Grace);

        Assert.Equal(Make.Now, same.SeenAt);
        Assert.Equal(Make.Now + Grace, renewed.SeenAt);
    }

    [Fact]
    public void Silence_longer_than_the_grace_period_makes_every_condition_unknown()
    {
        var node = Make.Node("n1").With("metadata.creationTimestamp", "2025-12-31T00:00:00Z");
        var health = NodeHealth.Observe(null, node, null, Make.Now);
        Assert.Null(NodeMonitor.Decide(node, health, Grace, Make.Now + Grace));

        var silent = node.Copy();
        silent["status"] = NodeMonitor.Decide(node, health, Grace, Make.Now + Grace + TimeSpan.FromSeconds(1));

        Assert.Equal(("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."), Read(silent, "Ready"));
        Assert.Equal(("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status."), Read(silent, "PIDPressure"));
        Assert.Null(NodeMonitor.Decide(silent, health, Grace, Make.Now + (2 * Grace)));
    }

    [Theory]
    [InlineData("Unknown", false, "node.kubernetes.io/unreachable")]
    [InlineData("False", false, "node.kubernetes.io/not-ready")]
    [InlineData("True", true, "node.kubernetes.io/unschedulable")]
    [InlineData("Unknown", true, "node.kubernetes.io/unreachable,node.kubernetes.io/unschedulable")]
    public void NoSchedule_taints_follow_conditions_and_cordon(string ready, bool cordoned, string expected)
    {
        var node = Make.Node("n1", cordoned: cordoned);
        node["status"]!["conditions"]![0]!["status"] = ready;

        Assert.Equal(expected, string.Join(',', NodeTaints.NoSchedule(node, Make.Now)!.Select(t => t.Key)));
    }

    [Fact]
    public void Taints_of_others_stay_and_ours_go_when_their_cause_is_gone()
    {
        var node = Make.Node("n1", taints: """[{"key":"node.kubernetes.io/not-ready","effect":"NoSchedule"},{"key":"mine","effect":"NoSchedule"},{"key":"node.kubernetes.io/unreachable","effect":"NoExecute"}]""");

        Assert.Equal(["mine", "node.kubernetes.io/unreachable"], NodeTaints.NoSchedule(node, Make.Now)!.Select(t => t.Key));
        Assert.Equal(["node.kubernetes.io/not-ready", "mine"], NodeTaints.NoExecute(node, mayAdd: false, Make.Now)!.Select(t => t.Key));
    }

    [Theory]
    [InlineData(3, 1, ZoneState.Normal)]
    [InlineData(2, 2, ZoneState.Normal)]
    [InlineData(2, 3, ZoneState.PartialDisruption)]
    [InlineData(0, 1, ZoneState.FullDisruption)]
    [InlineData(100, 5, ZoneState.Normal)]
    public void Zones_are_judged_by_their_share_of_lost_nodes(int ready, int unready, ZoneState expected) =>
        Assert.Equal(expected, new EvictionRate().StateOf(ready, unready));

    [Fact]
    public void Nodes_are_emptied_one_in_ten_seconds_and_none_when_every_zone_is_lost()
    {
        var nodes = Enumerable.Range(0, 10).Select(i => Make.Node($"n{i}")).ToList();
        nodes[0]["status"]!["conditions"]![0]!["status"] = "Unknown";
        nodes[1]["status"]!["conditions"]![0]!["status"] = "Unknown";
        var limiter = new ZoneLimiter(new EvictionRate());
        limiter.Update(nodes, Make.Now);
        Assert.True(limiter.TryTake(nodes[0], Make.Now));
        Assert.False(limiter.TryTake(nodes[1], Make.Now.AddSeconds(5)));
        Assert.True(limiter.TryTake(nodes[1], Make.Now.AddSeconds(10)));

        nodes.ForEach(node => node["status"]!["conditions"]![0]!["status"] = "Unknown");
        limiter.Update(nodes, Make.Now.AddSeconds(60));
        Assert.True(limiter.EveryZoneIsLost);
        Assert.False(limiter.TryTake(nodes[2], Make.Now.AddSeconds(60)));
    }

    [Theory]
    [InlineData("""{}""", 0)]
    [InlineData("""{"tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]}""", 300)]
    [InlineData("""{"tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute"}]}""", null)]
    [InlineData("""{"tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoSchedule"}]}""", 0)]
    public void A_pod_stays_as_long_as_its_toleration_says(string spec, int? seconds)
    {
        var stay = TaintEviction.StayOf(Make.Pod("p", extra: spec), [new Taint(Taint.Unreachable, "", Taint.NoExecute)]);

        Assert.Equal(seconds, (int?)stay?.TotalSeconds);
    }

    [Fact]
    public void A_taint_that_is_not_tolerated_outweighs_one_that_is()
    {
        var pod = Make.Pod("p", extra: """{"tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute"}]}""");

        Assert.Equal(TimeSpan.Zero, TaintEviction.StayOf(pod, [new Taint(Taint.Unreachable, "", Taint.NoExecute), new Taint(Taint.OutOfService, "nodeshutdown", Taint.NoExecute)]));
    }

    [Fact]
    public void Pods_that_no_kubelet_can_finish_are_force_deleted()
    {
        var lost = Make.Node("lost", taints: """[{"key":"node.kubernetes.io/out-of-service","effect":"NoExecute"}]""");
        lost["status"]!["conditions"]![0]!["status"] = "Unknown";
        JsonObject[] pods =
        [
            Make.Pod("terminating-on-lost", extra: """{"nodeName":"lost"}""").Terminating(),
            Make.Pod("living-on-lost", extra: """{"nodeName":"lost"}"""),
            Make.Pod("unbound").Terminating(),
            Make.Pod("waiting"),
            Make.Pod("on-missing", extra: """{"nodeName":"missing"}"""),
            Make.Pod("on-just-missing", extra: """{"nodeName":"just-missing"}"""),
        ];
        var missing = new Dictionary<string, DateTimeOffset> { ["missing"] = Make.Now.AddSeconds(-40), ["just-missing"] = Make.Now.AddSeconds(-39) };

        var acts = PodGarbage.Decide(pods, new Dictionary<string, JsonObject> { ["lost"] = lost }, missing, TimeSpan.FromSeconds(40), Make.Now).ToList();

        Assert.Equal(["terminating-on-lost", "unbound", "on-missing"], acts.OfType<Act.Delete>().Where(d => d.Force).Select(d => d.Target.Name));
    }

    private static (string?, string?, string?) Read(JsonObject node, string type)
    {
        var condition = Condition.Find(node, type);
        return (condition.Text("status"), condition.Text("reason"), condition.Text("message"));
    }
}
