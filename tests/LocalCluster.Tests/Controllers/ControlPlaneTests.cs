using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Controllers;

/// <summary>The control plane as a whole, on the real API server, in virtual time.</summary>
public sealed class ControlPlaneTests
{
    private static string StatefulSet(string name, int replicas, string extra = "") => $$$"""
        {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"{{{name}}}","namespace":"t"},"spec":{"serviceName":"{{{name}}}","replicas":{{{replicas}}},
         "podManagementPolicy":"Parallel","updateStrategy":{"type":"OnDelete"},"selector":{"matchLabels":{"app":"{{{name}}}"}},
         "template":{"metadata":{"labels":{"app":"{{{name}}}"}},"spec":{ {{{extra}}}
          "tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":3}],
          "affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchLabels":{"app":"{{{name}}}"}},"topologyKey":"kubernetes.io/hostname"}]}},
          "containers":[{"name":"c","image":"example.com/c:1"}]} } } }
        """;

    [Fact]
    public async Task A_statefulset_gets_its_pods_bound_one_to_a_node_and_its_status_counted()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("n1");
        await test.AddNodeAsync("n2");

        await test.CreateAsync(Kinds.StatefulSets, StatefulSet("nf", 2));
        await test.PlayKubeletAsync();

        var nodes = new[] { await test.GetAsync(Kinds.Pods, "nf-0"), await test.GetAsync(Kinds.Pods, "nf-1") }.Select(p => p.NodeName);
        Assert.Equal(["n1", "n2"], nodes.Order(StringComparer.Ordinal));
        var status = (await test.GetAsync(Kinds.StatefulSets, "nf"))["status"];
        Assert.Equal((2L, 2L, 2L), (status.Number("readyReplicas"), status.Number("availableReplicas"), status.Number("updatedReplicas")));
    }

    [Fact]
    public async Task A_node_that_dies_goes_through_all_the_stages_of_kubernetes()
    {
        await using var test = await TestCluster.StartAsync(nodes: new() { MonitorGracePeriod = TimeSpan.FromSeconds(8) });
        await test.AddNodeAsync("f1");
        await test.AddNodeAsync("n1");
        await test.CreateAsync(Kinds.StatefulSets, StatefulSet("nf", 2));
        await test.PlayKubeletAsync();
        var lost = (await test.NamesAsync(Kinds.Pods)).Single(name => test.GetAsync(Kinds.Pods, name).Result.NodeName == "f1");

        test.Silence("f1");
        await test.PassAsync(15);
        var node = await test.GetAsync(Kinds.Nodes, "f1");
        Assert.Equal("Unknown", Condition.StatusOf(node, "Ready"));
        Assert.Contains(Taint.Of(node), t => t is { Key: Taint.Unreachable, Effect: Taint.NoSchedule });
        Assert.Equal("False", Condition.StatusOf(await test.GetAsync(Kinds.Pods, lost), "Ready"));

        await test.PassAsync(10);
        Assert.Contains(Taint.Of(await test.GetAsync(Kinds.Nodes, "f1")), t => t is { Key: Taint.Unreachable, Effect: Taint.NoExecute });
        var marked = await test.GetAsync(Kinds.Pods, lost);
        Assert.True(marked.IsTerminating);
        Assert.Equal("DeletionByTaintManager", Condition.Find(marked, "DisruptionTarget").Text("reason"));

        await test.PassAsync(300);   // Terminating for ever: nobody may say that the process is dead
        Assert.Equal(marked.Uid, (await test.GetAsync(Kinds.Pods, lost)).Uid);

        await test.DeleteAsync(Kinds.Pods, lost, $$$"""{"gracePeriodSeconds":0,"preconditions":{"uid":"{{{marked.Uid}}}"}}""");
        var waiting = await test.GetAsync(Kinds.Pods, lost);
        Assert.NotEqual(marked.Uid, waiting.Uid);
        Assert.StartsWith("0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) had untolerated taint(s).", Condition.Find(waiting, "PodScheduled").Text("message"), StringComparison.Ordinal);

        await test.ReviveAsync("f1");
        await test.PassAsync(11);
        Assert.Empty(Taint.Of(await test.GetAsync(Kinds.Nodes, "f1")));
        Assert.Equal("f1", (await test.GetAsync(Kinds.Pods, lost)).NodeName);
    }

    [Fact]
    public async Task The_out_of_service_taint_frees_the_pods_of_a_dead_node()
    {
        await using var test = await TestCluster.StartAsync(nodes: new() { MonitorGracePeriod = TimeSpan.FromSeconds(8) });
        await test.AddNodeAsync("f1");
        await test.AddNodeAsync("n1");
        await test.CreateAsync(Kinds.Pods, """{"metadata":{"name":"tolerant","namespace":"t"},"spec":{"nodeName":"f1","containers":[{"name":"c","image":"i"}],"tolerations":[{"key":"node.kubernetes.io/unreachable","operator":"Exists"}]}}""");
        test.Silence("f1");
        await test.PassAsync(40);
        Assert.NotNull(await test.FindAsync(Kinds.Pods, "tolerant"));

        await test.PatchAsync(Kinds.Nodes, "f1", """{"spec":{"taints":[{"key":"node.kubernetes.io/out-of-service","value":"nodeshutdown","effect":"NoExecute"}]}}""");
        await test.PassAsync(25);

        Assert.Null(await test.FindAsync(Kinds.Pods, "tolerant"));
    }

    [Fact]
    public async Task Pods_of_a_deleted_node_are_collected()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("f1");
        await test.CreateAsync(Kinds.Pods, """{"metadata":{"name":"p","namespace":"t"},"spec":{"containers":[{"name":"c","image":"i"}]}}""");
        Assert.Equal("f1", (await test.GetAsync(Kinds.Pods, "p")).NodeName);

        test.Silence("f1");
        await test.DeleteAsync(Kinds.Nodes, "f1");
        await test.PassAsync(70);

        Assert.Null(await test.FindAsync(Kinds.Pods, "p"));
    }

    [Fact]
    public async Task Deleting_in_the_foreground_takes_everything_owned_and_orphaning_takes_nothing()
    {
        await using var test = await TestCluster.StartAsync();
        var web = await test.CreateAsync(Kinds.StatefulSets, StatefulSet("web", 2));
        await test.CreateAsync(Kinds.StatefulSets, StatefulSet("ord", 2));
        await test.CreateAsync(Kinds.ConfigMaps, $$$"""{"metadata":{"name":"owned","namespace":"t","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"web","uid":"{{{web.Uid}}}","controller":true,"blockOwnerDeletion":true}]}}""");

        await test.DeleteAsync(Kinds.StatefulSets, "web", """{"propagationPolicy":"Foreground"}""");
        await test.DeleteAsync(Kinds.StatefulSets, "ord", """{"propagationPolicy":"Orphan"}""");

        Assert.Null(await test.FindAsync(Kinds.ConfigMaps, "owned"));
        Assert.Null(await test.FindAsync(Kinds.StatefulSets, "web"));
        Assert.Null(await test.FindAsync(Kinds.StatefulSets, "ord"));
        Assert.Equal(["ord-0", "ord-1"], await test.NamesAsync(Kinds.Pods));
        Assert.Empty((await test.GetAsync(Kinds.Pods, "ord-0")).Owners);
    }

    [Fact]
    public async Task An_object_that_names_a_dead_owner_is_collected()
    {
        await using var test = await TestCluster.StartAsync();
        await test.CreateAsync(Kinds.ConfigMaps, """{"metadata":{"name":"dead","namespace":"t","ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"gone","uid":"0d9ae1f4-93f3-4d7c-9f1c-000000000000"}]}}""");

        Assert.Null(await test.FindAsync(Kinds.ConfigMaps, "dead"));
    }

    [Fact]
    public async Task A_disruption_budget_of_zero_refuses_evictions_in_kubernetes_words()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("n1");
        await test.AddNodeAsync("n2");
        await test.CreateAsync(Kinds.StatefulSets, StatefulSet("nf", 2));
        await test.PlayKubeletAsync();
        await test.CreateAsync(Kinds.DisruptionBudgets, """{"metadata":{"name":"nf","namespace":"t"},"spec":{"maxUnavailable":0,"selector":{"matchLabels":{"app":"nf"}}}}""");

        var refused = await Assert.ThrowsAsync<ApiException>(() => test.Api.CreateAsync(
            Kinds.Pods, "t", Make.Json("""{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"nf-1","namespace":"t"}}"""), new("tester", "tests", []), CancellationToken.None, "nf-1", "eviction"));

        Assert.Equal(429, refused.Code);
        Assert.Equal("The disruption budget nf needs 2 healthy pods and has 2 currently", refused.Status.Objects("details", "causes").Single().Text("message"));
    }

    [Fact]
    public async Task A_gated_pod_waits_until_its_gate_is_removed()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("n1");
        await test.CreateAsync(Kinds.Pods, """{"metadata":{"name":"gated","namespace":"t"},"spec":{"schedulingGates":[{"name":"example.com/wait"}],"containers":[{"name":"c","image":"i"}]}}""");
        Assert.Equal("", (await test.GetAsync(Kinds.Pods, "gated")).NodeName);

        await test.PatchAsync(Kinds.Pods, "gated", """{"spec":{"schedulingGates":null}}""", kind: PatchKind.Merge);

        Assert.Equal("n1", (await test.GetAsync(Kinds.Pods, "gated")).NodeName);
    }

    [Fact]
    public async Task A_deployment_rolls_over_to_a_new_template_and_reports_it()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("n1");
        await test.CreateAsync(Kinds.Deployments, """
            {"metadata":{"name":"op","namespace":"t"},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"op"}},
             "template":{"metadata":{"labels":{"app":"op"}},"spec":{"containers":[{"name":"c","image":"example.com/op:1"}]}}}}
            """);
        for (var i = 0; i < 4; i++) await test.PlayKubeletAsync();
        Assert.Equal(2, (await test.GetAsync(Kinds.Deployments, "op")).Number("status", "availableReplicas"));

        await test.PatchAsync(Kinds.Deployments, "op", """{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"example.com/op:2"}]}}}}""");
        for (var i = 0; i < 10; i++) await test.PlayKubeletAsync();

        var pods = (await test.Api.ListAsync(Kinds.Pods, "t", ListQuery.All, CancellationToken.None)).Objects("items").ToList();
        Assert.Equal(["example.com/op:2", "example.com/op:2"], pods.SelectMany(p => p.Objects("spec", "containers")).Select(c => c.Text("image")));
        var deployment = await test.GetAsync(Kinds.Deployments, "op");
        Assert.Equal((2L, 2L, 2L), (deployment.Number("status", "updatedReplicas"), deployment.Number("status", "replicas"), deployment.Number("status", "observedGeneration")));
        Assert.Equal("NewReplicaSetAvailable", Condition.Find(deployment, "Progressing").Text("reason"));
        Assert.Equal("2", deployment.Annotations["deployment.kubernetes.io/revision"]);
    }

    [Fact]
    public async Task A_service_lists_the_addresses_of_its_ready_pods()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("n1");
        await test.CreateAsync(Kinds.Services, """{"metadata":{"name":"web","namespace":"t"},"spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}}""");
        await test.CreateAsync(Kinds.Pods, """{"metadata":{"name":"w","namespace":"t","labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}]}}""");
        await test.PlayKubeletAsync();

        var subset = Assert.Single((await test.GetAsync(Kinds.Endpoints, "web")).Objects("subsets"));
        Assert.Equal("127.9.0.1", subset.Objects("addresses").Single().Text("ip"));
        Assert.Equal(8080, subset.Objects("ports").Single().Number("port"));
    }

    [Fact]
    public async Task A_namespace_takes_its_contents_with_it()
    {
        await using var test = await TestCluster.StartAsync();
        await test.AddNodeAsync("n1");
        await test.CreateAsync(Kinds.StatefulSets, StatefulSet("web", 2));
        await test.DeleteAsync(Kinds.Namespaces, "t");
        // The API server empties it in its own time, besides the controllers that are waited for here.
        for (var i = 0; i < 200 && await test.FindAsync(Kinds.Namespaces, "t") is not null; i++)
        {
            await test.PlayKubeletAsync();
            await test.PassAsync(2);
        }

        Assert.Null(await test.FindAsync(Kinds.Namespaces, "t"));
    }
}
