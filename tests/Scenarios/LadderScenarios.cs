using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Rungs of the failure ladder that act on nodes, over the real API server.</summary>
public sealed class LadderScenarios
{
    private static readonly string Manifest = LifecycleScenarios.Manifest.Replace("nodes: 2,", "nodes: 2, spareNodes: 1,", StringComparison.Ordinal).Replace("totalTokens: 3840", "totalTokens: 38400", StringComparison.Ordinal);

    [Fact]
    public Task A_drain_waits_until_the_job_has_saved_and_moved_to_a_spare() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s is { Step: >= 12, Nodes.SparesReady: 1 });
        var member = (await world.PlanAsync()).Members[1];
        await world.Api.PatchAsync(ResourceId.Nodes, null, member.Node, PatchKind.Merge, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = true } }, Scenario.User, TestContext.Current.CancellationToken);
        Assert.Equal(429, (await Assert.ThrowsAsync<ApiException>(() => EvictAsync(world, member.Pod))).Code);

        var moved = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        var plan = await world.PlanAsync();
        Assert.NotEqual(member.PodUid, plan.Members[1].PodUid);
        Assert.Equal(Reasons.NodeLeft, plan.Cause.Reason);
        Assert.Equal(0, moved.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);
        Assert.Empty(moved.Nodes.Quarantined);
        await world.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(await world.ListAsync(ResourceId.Pods), p => (string?)p["spec"]!["nodeName"] == member.Node);
    });

    [Fact]
    public Task A_node_put_aside_comes_back_when_its_time_is_over_though_the_job_is_gone() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("agentSilence: 10s", "agentSilence: 10s, quarantineFor: 2m", StringComparison.Ordinal));
        await world.UntilAsync(s => s is { Step: >= 12, Nodes.SparesReady: 1 });
        var bad = (await world.PlanAsync()).Members[1];
        world.Agents.Of(bad).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error: uncorrectable ECC error encountered");
        await world.UntilAsync(s => s.Nodes.Quarantined.Count > 0, seconds: 60);   // in the midst of its recovery
        var aside = await world.Api.GetAsync(ResourceId.Nodes, null, bad.Node, TestContext.Current.CancellationToken);
        Assert.True((bool?)aside["spec"]!["unschedulable"]);
        var problem = await ProblemAsync();
        Assert.Equal(("True", "DeviceFailed"), ((string?)problem!["status"], (string?)problem["reason"]));
        Assert.Matches("uncorrectable ECC error.*[(]job ml/opt[)]; Recommended Action=COMPONENT_RESET$", (string)problem["message"]!);

        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, TestContext.Current.CancellationToken);
        await world.AdvanceAsync(TimeSpan.FromSeconds(130));
        var back = await world.Api.GetAsync(ResourceId.Nodes, null, bad.Node, TestContext.Current.CancellationToken);
        Assert.Empty(await world.ListAsync(ResourceId.Pods));
        Assert.Null(back["spec"]!["unschedulable"]);
        Assert.Null(back["metadata"]!["labels"]!["training.opt-operator.io/quarantined"]);
        Assert.Null(back["metadata"]!["annotations"]!["training.opt-operator.io/quarantine"]);
        // The memory stays: the next job knows what it was put aside for.
        Assert.Contains("DeviceFailed", (string)back["metadata"]!["annotations"]!["training.opt-operator.io/offences"]!, StringComparison.Ordinal);
        Assert.Equal("False", (string?)(await ProblemAsync())!["status"]);

        // The condition is written a moment after the label: by the pass that the label brings about.
        async Task<JsonNode?> ProblemAsync()
        {
            await world.AdvanceAsync(TimeSpan.FromSeconds(5));
            var node = await world.Api.GetAsync(ResourceId.Nodes, null, bad.Node, TestContext.Current.CancellationToken);
            Assert.Contains(node["status"]!["conditions"]!.AsArray(), c => (string?)c!["type"] == "Ready");
            return node["status"]!["conditions"]!.AsArray().SingleOrDefault(c => (string?)c!["type"] == "TrainingProblem");
        }
    });

    [Fact]
    public Task A_quarantine_that_evicts_taints_the_node_until_it_is_given_back_and_leaves_other_taints_alone() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("agentSilence: 10s", "agentSilence: 10s, quarantineFor: 2m, quarantineEffect: NoExecute", StringComparison.Ordinal));
        await world.UntilAsync(s => s is { Step: >= 12, Nodes.SparesReady: 1 });
        var bad = (await world.PlanAsync()).Members[1];
        await world.Api.PatchAsync(ResourceId.Nodes, null, bad.Node, PatchKind.Merge, new JsonObject { ["spec"] = new JsonObject { ["taints"] = new JsonArray(new JsonObject { ["key"] = "team", ["value"] = "a", ["effect"] = "PreferNoSchedule" }) } }, Scenario.User, TestContext.Current.CancellationToken);
        await world.Api.CreateAsync(ResourceId.Pods, "default", Tenant("evicted", bad.Node), Scenario.User, TestContext.Current.CancellationToken);
        var staying = Tenant("stays", bad.Node);
        staying["spec"]!["tolerations"] = new JsonArray(new JsonObject { ["key"] = "training.opt-operator.io/quarantined", ["operator"] = "Exists" });
        await world.Api.CreateAsync(ResourceId.Pods, "default", staying, Scenario.User, TestContext.Current.CancellationToken);
        await world.AdvanceAsync(TimeSpan.FromSeconds(3));
        world.Agents.Of(bad).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error: uncorrectable ECC error encountered");

        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        Assert.DoesNotContain((await world.PlanAsync()).Members, m => m.Node == bad.Node);
        var aside = await world.Api.GetAsync(ResourceId.Nodes, null, bad.Node, TestContext.Current.CancellationToken);
        Assert.Contains("training.opt-operator.io/quarantined=DeviceFailed:NoExecute", Taints(aside));
        await world.AdvanceAsync(TimeSpan.FromSeconds(40));
        var left = (await world.ListAsync(ResourceId.Pods, "default")).Select(p => (string)p["metadata"]!["name"]!).ToArray();
        Assert.Equal(["stays"], left);

        await world.AdvanceAsync(TimeSpan.FromSeconds(130));
        var back = await world.Api.GetAsync(ResourceId.Nodes, null, bad.Node, TestContext.Current.CancellationToken);
        Assert.Equal(["team=a:PreferNoSchedule"], Taints(back));
        Assert.Null(back["spec"]!["unschedulable"]);

        static JsonObject Tenant(string name, string node) => new()
        {
            ["apiVersion"] = "v1", ["kind"] = "Pod", ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject { ["nodeName"] = node, ["terminationGracePeriodSeconds"] = 0, ["containers"] = new JsonArray(new JsonObject { ["name"] = "main", ["image"] = "another/tenant" }) },
        };
    });

    [Fact]
    public Task A_label_that_a_person_removes_takes_the_taint_of_the_quarantine_along_and_leaves_other_taints_and_the_cordon_alone() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("agentSilence: 10s", "agentSilence: 10s, quarantineFor: 10m, quarantineEffect: NoExecute", StringComparison.Ordinal));
        await world.UntilAsync(s => s is { Step: >= 12, Nodes.SparesReady: 1 });
        var bad = (await world.PlanAsync()).Members[1];
        await PatchAsync(new() { ["spec"] = new JsonObject { ["taints"] = new JsonArray(new JsonObject { ["key"] = "team", ["value"] = "a", ["effect"] = "PreferNoSchedule" }) } });
        world.Agents.Of(bad).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error: uncorrectable ECC error encountered");
        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        Assert.Contains("training.opt-operator.io/quarantined=DeviceFailed:NoExecute", Taints(await NodeAsync()));

        await PatchAsync(new() { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["training.opt-operator.io/quarantined"] = null } } });
        await world.AdvanceAsync(TimeSpan.FromSeconds(10));
        var back = await NodeAsync();
        Assert.Equal(["team=a:PreferNoSchedule", "node.kubernetes.io/unschedulable=:NoSchedule"], Taints(back));   // the cordon's own, for whoever lifts it
        Assert.True((bool?)back["spec"]!["unschedulable"]);

        Task<JsonObject> NodeAsync() => world.Api.GetAsync(ResourceId.Nodes, null, bad.Node, TestContext.Current.CancellationToken);
        Task<JsonObject> PatchAsync(JsonObject patch) => world.Api.PatchAsync(ResourceId.Nodes, null, bad.Node, PatchKind.Merge, patch, Scenario.User, TestContext.Current.CancellationToken);
    });

    [Fact]
    public Task The_stacks_of_all_ranks_are_in_the_logbook_before_a_hang_is_ended_and_name_the_node_that_stopped() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("failurePolicy: {", "failurePolicy: {hangAtLeast: 10s, ", StringComparison.Ordinal));
        await world.UntilAsync(s => s is { Step: >= 12, Nodes.SparesReady: 1 });
        var bad = (await world.PlanAsync()).Members[1];
        (world.Agents.Of(bad).Stopped, world.Agents.Of(bad).Frozen) = (true, true);

        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        var stacks = Assert.Single(again.Logbook, e => e.What == "collected the stacks of 2 of 2 ranks");
        Assert.Contains($"rank 1 ({bad.Node}): stopped (T) in backward", stacks.Why, StringComparison.Ordinal);
        Assert.True(stacks.Time <= again.Logbook.Single(e => e.What.StartsWith("launched epoch 2", StringComparison.Ordinal)).Time);
        var plan = await world.PlanAsync();
        Assert.Equal((Reasons.Hang, bad.Node), (plan.Cause.Reason, plan.Cause.Node));
        Assert.DoesNotContain(plan.Members, m => m.Node == bad.Node);
    });

    [Fact]
    public Task A_straggler_is_replaced_by_a_spare_where_the_rung_is_enforced() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("agentSilence: 10s", "agentSilence: 10s, straggler: {forSteps: 20, mode: Enforce}", StringComparison.Ordinal));
        await world.UntilAsync(s => s is { Step: >= 12, Nodes.SparesReady: 1 });
        var slow = (await world.PlanAsync()).Members[1];
        world.Agents.Shape = r => r with { Slowest = r.Epoch == 1 ? new(1, 2, 1) : new((int)(r.Attempt % 2), 1, 1) };

        var moved = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 90);
        Assert.Equal(slow.Node, Assert.Single(moved.Nodes.Quarantined).Name);
        Assert.DoesNotContain((await world.PlanAsync()).Members, m => m.Node == slow.Node);
        Assert.Equal(Reasons.Straggler, Assert.Single(moved.Restarts.ByCause).Cause);
    });

    [Fact]
    public Task A_job_shrinks_to_the_machines_it_has_and_grows_back_when_a_node_is_released() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(Manifest.Replace("nodes: 2, spareNodes: 1,", "nodes: 3, minNodes: 2,", StringComparison.Ordinal).Replace("agentSilence: 10s", "agentSilence: 10s, provisionDeadline: 20s", StringComparison.Ordinal));
        await world.UntilAsync(s => s is { Step: >= 12 });
        var bad = (await world.PlanAsync()).Members[1];
        world.Agents.Of(bad).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error");
        var less = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 90);
        Assert.Equal(2, (await world.PlanAsync()).Members.Count);
        Assert.Equal("Short", less.Conditions.Single(c => c.Type == ConditionTypes.MembersPlaced).Reason);

        var release = new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["training.opt-operator.io/quarantined"] = null } }, ["spec"] = new JsonObject { ["unschedulable"] = null } };
        await world.Api.PatchAsync(ResourceId.Nodes, null, bad.Node, PatchKind.Merge, release, Scenario.User, TestContext.Current.CancellationToken);
        await world.UntilAsync(s => s is { Epoch: 3, Phase: JobPhase.Running }, seconds: 180);
        var plan = await world.PlanAsync();
        Assert.Equal((3, Reasons.NodesReturned), (plan.Members.Count, plan.Cause.Reason));
    });

    private static string[] Taints(JsonObject node) => [.. (node["spec"]!["taints"]?.AsArray() ?? []).Select(t => $"{t!["key"]}={t["value"]}:{t["effect"]}")];

    private static Task<JsonObject> EvictAsync(Scenario world, string pod) => world.Api.CreateAsync(
        ResourceId.Pods, "ml", new JsonObject { ["apiVersion"] = "policy/v1", ["kind"] = "Eviction", ["metadata"] = new JsonObject { ["name"] = pod, ["namespace"] = "ml" } }, Scenario.User, TestContext.Current.CancellationToken, pod, "eviction");
}
