using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

public sealed class LifecycleScenarios
{
    internal const string Manifest = """
        apiVersion: training.opt-operator.io/v1alpha1
        kind: OptTrainingJob
        metadata: {name: opt, namespace: ml}
        spec:
          model: {layers: 2, hiddenSize: 64, heads: 4, maxPositions: 64}
          topology: {nodes: 2, acceleratorsPerNode: 1}
          pod: {image: "opt-trainer:1", acceleratorResource: ""}
          data: {train: [{path: corpus}]}
          training: {batchTokens: 64, totalTokens: 3840, precision: fp32, learningRate: {peak: 1.0e-3}}
          checkpoint: {store: {directory: {path: /checkpoints}}}
          failurePolicy: {agentSilence: 10s}
        """;

    [Fact]
    public Task A_job_goes_from_apply_to_succeeded_and_deleting_it_leaves_nothing() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(Manifest);
        var running = await world.UntilAsync(s => s.Phase == JobPhase.Running);
        Assert.Equal((1, 2), (running.Epoch, running.Nodes.Ready));
        var done = await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);

        Assert.Equal((60, 60), (done.Step, done.TotalSteps));
        Assert.Equal(60, done.LastCheckpoint!.Step);
        Assert.Equal(0, done.Restarts.Total);
        await world.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.Empty(await world.ListAsync(ResourceId.Pods));

        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, TestContext.Current.CancellationToken);
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        foreach (var resource in new ResourceId[] { ResourceId.StatefulSets, ResourceId.Pods, new("", "v1", "services"), new("", "v1", "secrets"), new("", "v1", "configmaps"), new("policy", "v1", "poddisruptionbudgets") })
        {
            Assert.DoesNotContain(await world.ListAsync(resource), item => item["metadata"]!["labels"]?["training.opt-operator.io/job"] is not null);
        }
    });

    [Fact]
    public Task A_plan_names_the_zone_and_the_rack_of_each_members_node() => Scenario.RunAsync(nodes: 2, async world =>
    {
        string[] zones = ["north", "south"];
        for (var i = 0; i < zones.Length; i++)
        {
            var labels = new JsonObject { ["topology.kubernetes.io/zone"] = zones[i], ["example.com/rack"] = $"rack-{i}" };
            await world.Api.PatchAsync(ResourceId.Nodes, null, $"node-{i}", PatchKind.Merge, new JsonObject { ["metadata"] = new JsonObject { ["labels"] = labels } }, Scenario.User, TestContext.Current.CancellationToken);
        }

        await world.CreateJobAsync(Manifest.Replace("acceleratorResource: \"\"}", "acceleratorResource: \"\", scheduling: {rack: {label: example.com/rack}}}", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Phase == JobPhase.Running);
        var members = (await world.PlanAsync()).Members.OrderBy(m => m.Node, StringComparer.Ordinal);
        Assert.Equal([("node-0", "north", "rack-0"), ("node-1", "south", "rack-1")], members.Select(m => (m.Node, m.Zone, m.Rack)));
    });

    [Fact]
    public Task A_job_with_a_time_to_live_is_deleted_that_long_after_its_end_and_not_before() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("  failurePolicy:", "  ttlSecondsAfterFinished: 60\n  failurePolicy:", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
        await world.AdvanceAsync(TimeSpan.FromSeconds(50));
        Assert.Equal(JobPhase.Succeeded, (await world.StatusAsync()).Phase);

        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.Empty(await world.ListAsync(Scenario.Jobs));
        Assert.Empty(await world.ListAsync(ResourceId.StatefulSets));
    });

    [Fact]
    public Task A_failed_worker_is_relaunched_in_the_same_pods() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var before = await world.ListAsync(ResourceId.Pods);
        world.Agents.Of((await world.PlanAsync()).Members[1]).Fail(WorkerExit.Internal, world.Clock.GetUtcNow(), "killed by signal 9");

        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 15);
        Assert.Equal(before.Select(p => (string?)p["metadata"]!["uid"]), (await world.ListAsync(ResourceId.Pods)).Select(p => (string?)p["metadata"]!["uid"]));
        Assert.Equal([new RestartCount { Cause = Reasons.WorkerFailed, Count = 1 }], again.Restarts.ByCause);
        Assert.Contains("killed by signal 9", again.Logbook.Single(e => e.What.StartsWith("launched epoch 2", StringComparison.Ordinal)).Why, StringComparison.Ordinal);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
    });

    [Fact]
    public Task A_dead_node_is_cordoned_and_its_pod_replaced_elsewhere() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var dead = (await world.PlanAsync()).Members[1];
        world.Nodes.Kill(dead.Node);

        var again = await world.UntilAsync(s => s is { Epoch: > 1, Phase: JobPhase.Running }, seconds: 120);
        var plan = await world.PlanAsync();
        Assert.Equal(2, again.Epoch);
        Assert.NotEqual(dead.Node, plan.Members[1].Node);
        Assert.Equal(dead.Pod, plan.Members[1].Pod);
        Assert.NotEqual(dead.PodUid, plan.Members[1].PodUid);
        var node = await world.Api.GetAsync(ResourceId.Nodes, null, dead.Node, TestContext.Current.CancellationToken);
        Assert.True((bool?)node["spec"]!["unschedulable"]);
        Assert.NotNull(node["metadata"]!["labels"]!["training.opt-operator.io/quarantined"]);
        Assert.Equal(dead.Node, Assert.Single(again.Nodes.Quarantined).Name);
        Assert.Contains(again.Logbook, e => e.What == $"quarantined node {dead.Node}");
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
    });

    [Fact]
    public Task An_evicted_pod_leaves_its_evidence_and_its_node() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var member = (await world.PlanAsync()).Members[0];
        await world.Nodes.EvictAsync("ml", member.Pod, TestContext.Current.CancellationToken);

        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        Assert.Equal(Reasons.PodFailed, Assert.Single(again.Restarts.ByCause).Cause);
        Assert.Contains("The node was low on resource: memory.", again.Logbook.Single(e => e.What.StartsWith("launched epoch 2", StringComparison.Ordinal)).Why, StringComparison.Ordinal);
        Assert.NotEqual(member.Node, (await world.PlanAsync()).Members[0].Node);
    });

    [Fact]
    public Task Suspend_releases_the_pods_and_resume_goes_on_from_the_saved_step() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["suspend"] = true } });
        await world.UntilAsync(s => s.Phase == JobPhase.Suspended, seconds: 20);
        await world.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.Empty(await world.ListAsync(ResourceId.Pods));
        var saved = world.Agents.CommittedStep;
        Assert.True(saved % 5 != 0, $"step {saved} was saved because it was asked for");

        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["suspend"] = false } });
        await world.UntilAsync(s => s.Phase == JobPhase.Running);
        Assert.Equal(saved, (await world.PlanAsync()).Resume!.Step);
    });
}
