using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.StatefulSets;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Controllers;

public sealed class StatefulSetDecisionTests
{
    private static JsonObject Set(int replicas = 3, string policy = "Parallel", string strategy = "OnDelete", string image = "example.com/c:1") => Make.Json($$$"""
        {"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"web","namespace":"t","uid":"set","generation":1},
         "spec":{"replicas":{{{replicas}}},"podManagementPolicy":"{{{policy}}}","updateStrategy":{"type":"{{{strategy}}}"},"serviceName":"web","selector":{"matchLabels":{"app":"web"}},
          "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"{{{image}}}","resources":{},"terminationMessagePath":"/dev/termination-log",
            "terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"none"} } },
         "status":{}}
        """);

    private static Decision Decide(JsonObject set, IEnumerable<JsonObject> pods, IReadOnlyList<JsonObject> revisions, DateTimeOffset now) =>
        StatefulSetDecision.Decide(set, [.. pods.Select(pod => SetPod.Read(set, pod))], revisions, now);

    // Plays the API server: applies what was decided and gives back the next state.
    private static (JsonObject Set, List<JsonObject> Pods, List<JsonObject> Revisions) Apply(JsonObject set, List<JsonObject> pods, List<JsonObject> revisions)
    {
        foreach (var act in Decide(set, pods, revisions, Make.Now).Acts)
        {
            if (act is Act.Create { Resource.Plural: "pods" } pod) pods.Add(pod.Body.Copy().With("metadata.uid", $"uid-{pod.Body.Name}-{pods.Count}"));
            else if (act is Act.Create create) revisions.Add(create.Body);
            else if (act is Act.Delete { Resource.Plural: "pods" } delete) pods.RemoveAll(p => p.Name == delete.Target.Name);
            else if (act is Act.Replace { Subresource: "status" } replace) set = replace.Body;
        }

        return (set, pods, revisions);
    }

    private static string[] Names(IEnumerable<JsonObject> pods) => [.. pods.Select(p => p.Name).Order(StringComparer.Ordinal)];

    [Fact]
    public void The_revision_hash_equals_that_of_kubernetes()
    {
        var (set, pods, revisions) = Apply(Set(), [], []);

        Assert.Equal("web-6568bdbd67", revisions.Single().Name);   // recorded from kube-controller-manager 1.36.2 for this very template
        Assert.Equal("web-6568bdbd67", pods[0].Labels["controller-revision-hash"]);
        Assert.Equal("web-6568bdbd67", set.Text("status", "updateRevision"));
    }

    [Fact]
    public void Parallel_creates_all_pods_at_once_with_their_identity()
    {
        var (_, pods, _) = Apply(Set(), [], []);

        Assert.Equal(["web-0", "web-1", "web-2"], Names(pods));
        var pod = pods.Single(p => p.Name == "web-1");
        Assert.Equal("1", pod.Labels["apps.kubernetes.io/pod-index"]);
        Assert.Equal("web-1", pod.Labels["statefulset.kubernetes.io/pod-name"]);
        Assert.Equal("web-1", pod.Text("spec", "hostname"));
        Assert.Equal("web", pod.Text("spec", "subdomain"));
        Assert.Equal("set", pod.ControllerOwner!.Uid);
    }

    [Fact]
    public void Ordered_creates_the_next_pod_only_when_the_one_before_is_ready()
    {
        var (set, pods, revisions) = Apply(Set(policy: "OrderedReady"), [], []);
        Assert.Equal(["web-0"], Names(pods));

        (set, pods, revisions) = Apply(set, pods, revisions);
        Assert.Equal(["web-0"], Names(pods));

        pods[0].Running();
        (_, pods, _) = Apply(set, pods, revisions);
        Assert.Equal(["web-0", "web-1"], Names(pods));
    }

    [Fact]
    public void With_OnDelete_a_template_edit_replaces_no_pod_and_a_deleted_one_comes_back_from_the_new_template()
    {
        var (set, pods, revisions) = Apply(Set(), [], []);
        (set, pods, revisions) = Apply(set, pods, revisions);
        set["spec"] = Set(image: "example.com/c:2")["spec"]!.DeepClone();

        (set, pods, revisions) = Apply(set, pods, revisions);
        Assert.Equal("web-778f599ffb", set.Text("status", "updateRevision"));   // as recorded
        Assert.Equal("web-6568bdbd67", set.Text("status", "currentRevision"));
        Assert.Null(set.At("status", "updatedReplicas"));
        Assert.Equal(3, set.Number("status", "currentReplicas"));

        pods.RemoveAll(p => p.Name == "web-1");
        (_, pods, _) = Apply(set, pods, revisions);
        var back = pods.Single(p => p.Name == "web-1");
        Assert.Equal("example.com/c:2", back.Objects("spec", "containers").Single().Text("image"));
        Assert.Equal("web-778f599ffb", back.Labels["controller-revision-hash"]);
        Assert.Equal("example.com/c:1", pods.Single(p => p.Name == "web-0").Objects("spec", "containers").Single().Text("image"));
    }

    [Fact]
    public void A_rolling_update_goes_from_the_highest_ordinal_down_one_at_a_time()
    {
        var (set, pods, revisions) = Apply(Set(strategy: "RollingUpdate"), [], []);
        pods.ForEach(p => p.Running());
        (set, pods, revisions) = Apply(set, pods, revisions);
        set["spec"] = Set(strategy: "RollingUpdate", image: "example.com/c:2")["spec"]!.DeepClone();
        List<string> order = [];

        for (var round = 0; round < 12; round++)
        {
            var before = Names(pods);
            (set, pods, revisions) = Apply(set, pods, revisions);
            order.AddRange(before.Except(Names(pods)));
            pods.ForEach(p => p.Running());
        }

        Assert.Equal(["web-2", "web-1", "web-0"], order);
        Assert.Equal("web-778f599ffb", set.Text("status", "currentRevision"));
        Assert.Equal(3, set.Number("status", "updatedReplicas"));
    }

    [Fact]
    public void Going_back_to_an_old_template_makes_the_old_revision_the_newest_again()
    {
        var (set, pods, revisions) = Apply(Set(), [], []);
        set["spec"] = Set(image: "example.com/c:2")["spec"]!.DeepClone();
        (set, pods, revisions) = Apply(set, pods, revisions);
        set["spec"] = Set()["spec"]!.DeepClone();

        var acts = Decide(set, pods, revisions, Make.Now).Acts;

        var raised = Assert.Single(acts.OfType<Act.Replace>(), a => a.Resource.Plural == "controllerrevisions");
        Assert.Equal(("web-6568bdbd67", 3L), (raised.Body.Name, raised.Body.Number("revision")));
        Assert.DoesNotContain(acts, a => a is Act.Create);
    }

    [Fact]
    public void A_failed_pod_is_deleted_and_comes_back_under_its_name()
    {
        var (set, pods, revisions) = Apply(Set(), [], []);
        pods.Single(p => p.Name == "web-0").With("status.phase", "Failed");

        var delete = Assert.Single(Decide(set, pods, revisions, Make.Now).Acts.OfType<Act.Delete>());
        Assert.Equal(("web-0", "RecreatingFailedPod"), (delete.Target.Name, delete.Said!.Reason));
        (set, pods, revisions) = Apply(set, pods, revisions);
        (_, pods, _) = Apply(set, pods, revisions);
        Assert.Equal(["web-0", "web-1", "web-2"], Names(pods));
    }

    [Fact]
    public void A_terminating_pod_keeps_its_name_and_is_not_replaced_before_it_is_gone()
    {
        var (set, pods, revisions) = Apply(Set(), [], []);
        pods[0].Terminating();

        Assert.DoesNotContain(Decide(set, pods, revisions, Make.Now).Acts, a => a is Act.Create or Act.Delete);
    }

    [Fact]
    public void Scale_down_takes_the_highest_ordinals()
    {
        var (set, pods, revisions) = Apply(Set(), [], []);
        (set, pods, revisions) = Apply(set.With("spec.replicas", 1), pods, revisions);

        Assert.Equal(["web-0"], Names(pods));
        Assert.Empty(revisions.Skip(1));
    }

    [Fact]
    public void Ordered_scale_down_waits_for_each_pod_to_be_gone()
    {
        var (set, pods, revisions) = Apply(Set(policy: "OrderedReady"), [], []);
        for (var i = 0; i < 4; i++)
        {
            pods.ForEach(p => p.Running());
            (set, pods, revisions) = Apply(set, pods, revisions);
        }

        set.With("spec.replicas", 0);
        var first = Decide(set, pods, revisions, Make.Now).Acts.OfType<Act.Delete>().ToList();
        Assert.Equal(["web-2"], first.Select(a => a.Target.Name));
        pods.Single(p => p.Name == "web-2").Terminating();
        Assert.DoesNotContain(Decide(set, pods, revisions, Make.Now).Acts, a => a is Act.Delete);
    }

    [Fact]
    public void Ordinals_start_where_the_spec_says()
    {
        var (_, pods, _) = Apply(Set(replicas: 2).With("spec.ordinals", Make.Json("""{"start":5}""")), [], []);

        Assert.Equal(["web-5", "web-6"], Names(pods));
    }

    [Fact]
    public void A_set_that_is_being_deleted_creates_nothing()
    {
        Assert.DoesNotContain(Decide(Set().Terminating(), [], [], Make.Now).Acts, a => a is Act.Create { Resource.Plural: "pods" });
    }

    [Fact]
    public void Min_ready_seconds_delay_availability_but_not_readiness()
    {
        var (set, pods, revisions) = Apply(Set(replicas: 1).With("spec.minReadySeconds", 30), [], []);
        pods[0].Running();
        (set, pods, revisions) = Apply(set, pods, revisions);

        Assert.Equal((1L, 0L), (set.Number("status", "readyReplicas"), set.Number("status", "availableReplicas")));
        Assert.Equal(TimeSpan.FromSeconds(30), Decide(set, pods, revisions, Make.Now).LookAgain);
        var later = Decide(set, pods, revisions, Make.Now.AddSeconds(30)).Acts.OfType<Act.Replace>().Single();
        Assert.Equal(1, later.Body.Number("status", "availableReplicas"));
    }
}
