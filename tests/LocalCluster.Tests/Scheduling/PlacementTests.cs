using System.Text.Json.Nodes;
using Opt.LocalCluster.Scheduling;

namespace Opt.LocalCluster.Tests.Scheduling;

public sealed class PlacementTests
{
    private const string AntiAffinity = """
        {"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchLabels":{"app":"web"}},"topologyKey":"kubernetes.io/hostname"}]}}}
        """;

    private static SchedulingNode[] Nodes(params JsonObject[] nodes) => [.. nodes.Select(n => new SchedulingNode(n))];

    private static Placement Place(JsonObject pod, params SchedulingNode[] nodes) =>
        Placement.Decide(new SchedulingPod(pod), nodes, new TopologyIndex(nodes), 0, out _);

    private static string NodeOf(Placement placement) => Assert.IsType<Placement.On>(placement).Node;

    private static string Message(Placement placement) => Assert.IsType<Placement.Nowhere>(placement).Message;

    [Fact]
    public void Accelerators_are_accounted_and_the_refusal_reads_as_in_kubernetes()
    {
        var nodes = Nodes(Make.Node("n1"), Make.Node("n2"));
        nodes[0].Add(new(Make.Pod("g1", accelerators: 8)));
        Assert.Equal("n2", NodeOf(Place(Make.Pod("g2", accelerators: 8), nodes)));

        nodes[1].Add(new(Make.Pod("g2", accelerators: 8)));
        Assert.Equal(
            "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
            Message(Place(Make.Pod("g3", accelerators: 8), nodes)));
    }

    [Fact]
    public void A_cordoned_node_and_a_full_one_give_the_recorded_message()
    {
        var nodes = Nodes(Make.Node("n1", cordoned: true), Make.Node("n2"));
        nodes[1].Add(new(Make.Pod("g1", accelerators: 8)));

        Assert.Equal(
            "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
            Message(Place(Make.Pod("g3", accelerators: 8), nodes)));
    }

    [Fact]
    public void Anti_affinity_puts_one_pod_on_a_node_and_says_so_when_there_is_none_left()
    {
        var nodes = Nodes(Make.Node("n1"), Make.Node("f1", taints: """[{"key":"node.kubernetes.io/unreachable","effect":"NoSchedule"}]"""));
        nodes[0].Add(new(Make.Pod("nf-1", extra: AntiAffinity)));

        Assert.Equal(
            "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
            Message(Place(Make.Pod("nf-0", extra: AntiAffinity), nodes)));
    }

    [Fact]
    public void The_anti_affinity_of_a_placed_pod_holds_for_newcomers_too()
    {
        var nodes = Nodes(Make.Node("n1"), Make.Node("n2"));
        nodes[0].Add(new(Make.Pod("loner", extra: AntiAffinity)));

        Assert.Equal("n2", NodeOf(Place(Make.Pod("guest"), nodes)));
        Assert.Equal("n1", NodeOf(Place(Make.Pod("other", app: "db"), Nodes(Make.Node("n1")))));
    }

    [Theory]
    [InlineData("""{"nodeSelector":{"pool":"a"}}""", "n1")]
    [InlineData("""{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"pool","operator":"NotIn","values":["a"]}]}]}}}}""", "n2")]
    [InlineData("""{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"quarantined","operator":"DoesNotExist"}]}]}}}}""", "n2")]
    [InlineData("""{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}]}}}}""", "n1")]
    [InlineData("""{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"slots","operator":"Gt","values":["4"]}]}]}}}}""", "n1")]
    [InlineData("""{"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":100,"preference":{"matchExpressions":[{"key":"pool","operator":"In","values":["b"]}]}}]}}}""", "n2")]
    public void Node_selectors_and_affinity_choose_the_node(string spec, string expected)
    {
        var nodes = Nodes(Make.Node("n1", labels: "pool=a,quarantined=yes,slots=8"), Make.Node("n2", labels: "pool=b,slots=2"));

        Assert.Equal(expected, NodeOf(Place(Make.Pod("p", extra: spec), nodes)));
    }

    [Fact]
    public void A_node_affinity_that_matches_nothing_is_unresolvable()
    {
        Assert.Equal(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            Message(Place(Make.Pod("p", extra: """{"nodeSelector":{"pool":"z"}}"""), Nodes(Make.Node("n1")))));
    }

    [Theory]
    [InlineData("""[{"key":"maint","value":"x","effect":"NoSchedule"}]""", """{}""", false)]
    [InlineData("""[{"key":"maint","value":"x","effect":"NoSchedule"}]""", """{"tolerations":[{"key":"maint","operator":"Equal","value":"x","effect":"NoSchedule"}]}""", true)]
    [InlineData("""[{"key":"maint","value":"x","effect":"NoSchedule"}]""", """{"tolerations":[{"key":"maint","operator":"Equal","value":"y","effect":"NoSchedule"}]}""", false)]
    [InlineData("""[{"key":"maint","value":"x","effect":"NoExecute"}]""", """{"tolerations":[{"key":"maint","operator":"Exists"}]}""", true)]
    [InlineData("""[{"key":"maint","value":"x","effect":"NoExecute"}]""", """{"tolerations":[{"operator":"Exists"}]}""", true)]
    [InlineData("""[{"key":"maint","value":"x","effect":"PreferNoSchedule"}]""", """{}""", true)]
    public void Taints_keep_pods_away_that_do_not_tolerate_them(string taints, string spec, bool fits) =>
        Assert.Equal(fits, Place(Make.Pod("p", extra: spec), Nodes(Make.Node("n1", taints: taints))) is Placement.On);

    [Fact]
    public void Topology_spread_keeps_the_skew()
    {
        const string Spread = """{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}}]}""";
        var nodes = Nodes(Make.Node("n1", labels: "zone=a"), Make.Node("n2", labels: "zone=b"));
        nodes[0].Add(new(Make.Pod("w1")));

        Assert.Equal("n2", NodeOf(Place(Make.Pod("w2", extra: Spread), nodes)));
        Assert.Contains("topology spread", Message(Place(Make.Pod("w3", extra: Spread), nodes[0], Nodes(Make.Node("n3", cordoned: true, labels: "zone=c"))[0])), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_nodes_the_message_says_so() =>
        Assert.Equal("no nodes available to schedule pods", Message(Place(Make.Pod("p"))));

    [Fact]
    public void Equal_nodes_fill_in_turn()
    {
        var nodes = Nodes(Make.Node("n1"), Make.Node("n2"), Make.Node("n3"));
        List<string> used = [];
        for (var i = 0; i < 3; i++)
        {
            var pod = new SchedulingPod(Make.Pod($"p{i}", accelerators: 1));
            var node = NodeOf(Placement.Decide(pod, nodes, new TopologyIndex(nodes), 0, out _));
            nodes.Single(n => n.Name == node).Add(pod);
            used.Add(node);
        }

        Assert.Equal(["n1", "n2", "n3"], used.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("100m", "0.1")]
    [InlineData("1Ki", "1024")]
    [InlineData("1.5Gi", "1610612736")]
    [InlineData("1E3", "1000")]
    [InlineData("2E", "2000000000000000000")]
    [InlineData("8", "8")]
    public void Quantities_mean_what_kubernetes_means(string text, string expected)
    {
        Assert.Equal(decimal.Parse(expected, System.Globalization.CultureInfo.InvariantCulture), Opt.LocalCluster.Objects.Amounts.Of(System.Text.Json.Nodes.JsonValue.Create(text)));
    }

    [Fact]
    public void A_pod_asks_for_the_larger_of_its_containers_and_its_biggest_init_container()
    {
        var pod = Make.Json("""
            {"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}},{"resources":{"requests":{"cpu":"2"}}}],
             "initContainers":[{"resources":{"requests":{"cpu":"5"}}},{"restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}}]}}
            """);

        Assert.Equal(5m, PodRequests.Of(pod)["cpu"]);
    }
}
