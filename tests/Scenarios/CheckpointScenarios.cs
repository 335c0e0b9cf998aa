using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Checkpoint objects through the real operator and control plane, in virtual time.</summary>
public sealed class CheckpointScenarios
{
    [Fact]
    public Task Every_checkpoint_of_the_catalogue_has_an_object_that_goes_with_it_and_with_the_job() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 17);
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        var objects = await world.ListAsync(Scenario.Checkpoints);
        Assert.Equal(world.Agents.Commits.Select(c => c.Step), objects.Select(o => StatusOf(o).Step));
        var first = StatusOf(objects[0]);
        Assert.Equal(("opt", 5L, 1L, HealthVerdict.Healthy, false, "1"), (first.Job, first.Tokens, first.Epoch, first.Verdict, first.Pinned, first.Size));
        Assert.Contains("good steps", first.Reason, StringComparison.Ordinal);
        Assert.Equal([CheckpointTier.Store], first.Tiers);
        var owner = objects[0]["metadata"]!["ownerReferences"]![0]!;
        Assert.Equal(("OptTrainingJob", "opt"), ((string?)owner["kind"], (string?)owner["name"]));

        world.Agents.RetireOldest();
        await world.AdvanceAsync(TimeSpan.FromSeconds(7));   // the next commit is seen
        objects = await world.ListAsync(Scenario.Checkpoints);
        Assert.Equal(world.Agents.Commits.Select(c => c.Step), objects.Select(o => StatusOf(o).Step));
        Assert.Equal(10, StatusOf(objects[0]).Step);

        await world.Api.DeleteAsync(Scenario.Jobs, "ml", "opt", null, Scenario.User, TestContext.Current.CancellationToken);
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.Empty(await world.ListAsync(Scenario.Checkpoints));
    });

    [Fact]
    public Task Pinning_and_condemning_in_the_spec_reach_the_store_once_and_the_next_status_says_so() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 17);
        var names = (await world.ListAsync(Scenario.Checkpoints)).Select(o => (string)o["metadata"]!["name"]!).ToArray();
        var empty = await Assert.ThrowsAsync<ApiException>(() => EditAsync(world, names[1], new() { ["condemned"] = new JsonObject { ["reason"] = " " } }));
        Assert.Contains("spec.condemned.reason", empty.Message, StringComparison.Ordinal);
        await EditAsync(world, names[0], new() { ["pinned"] = true });
        await EditAsync(world, names[1], new() { ["condemned"] = new JsonObject { ["reason"] = "its data was poisoned" } });
        await world.AdvanceAsync(TimeSpan.FromSeconds(2));

        Assert.Equal((true, HealthVerdict.Healthy), (world.Agents.Commits[0].Pinned, world.Agents.Commits[0].Verdict));
        Assert.Equal((false, HealthVerdict.Condemned), (world.Agents.Commits[1].Pinned, world.Agents.Commits[1].Verdict));
        var objects = await world.ListAsync(Scenario.Checkpoints);
        Assert.Equal((true, ""), (StatusOf(objects[0]).Pinned, StatusOf(objects[0]).Waiting));
        Assert.Equal((HealthVerdict.Condemned, "its data was poisoned"), (StatusOf(objects[1]).Verdict, StatusOf(objects[1]).Reason));
        await world.UntilAsync(s => s.Step >= 40);
        Assert.Equal(2, world.Agents.Marks);

        var back = await Assert.ThrowsAsync<ApiException>(() => EditAsync(world, names[1], new() { ["condemned"] = null }));
        Assert.Contains("a condemned checkpoint stays condemned", back.Message, StringComparison.Ordinal);
        await EditAsync(world, names[0], new() { ["pinned"] = false });
        await world.AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.False(world.Agents.Commits[0].Pinned);
    });

    [Fact]
    public Task What_cannot_be_marked_yet_says_why_and_is_tried_again_without_haste() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        world.Agents.MarkRefusal = "the store does not answer";
        var name = (string)(await world.ListAsync(Scenario.Checkpoints))[0]["metadata"]!["name"]!;
        await EditAsync(world, name, new() { ["pinned"] = true });
        await world.AdvanceAsync(TimeSpan.FromSeconds(20));
        Assert.Contains("the store does not answer", StatusOf((await world.ListAsync(Scenario.Checkpoints))[0]).Waiting, StringComparison.Ordinal);
        Assert.InRange(world.Agents.Marks, 1, 3);

        world.Agents.MarkRefusal = null;
        await world.UntilAsync(s => world.Agents.Commits[0].Pinned, seconds: 30);
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal((true, ""), (StatusOf((await world.ListAsync(Scenario.Checkpoints))[0]).Pinned, StatusOf((await world.ListAsync(Scenario.Checkpoints))[0]).Waiting));
    });

    [Fact]
    public Task Nothing_is_written_that_did_not_change_also_by_a_new_operator() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 17);
        var before = Versions(await world.ListAsync(Scenario.Checkpoints)).Take(2).ToArray();
        await world.KillOperatorAsync();
        world.StartOperator();
        await world.UntilAsync(s => s.Step >= 40);
        var after = await world.ListAsync(Scenario.Checkpoints);
        Assert.Equal(before, Versions(after).Take(2));
        Assert.All(after, o => Assert.Equal(1, (long)o["metadata"]!["generation"]!));
    });

    [Fact]
    public Task An_object_removed_by_hand_comes_back_and_a_stranger_of_its_name_is_left_alone() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var name = (string)(await world.ListAsync(Scenario.Checkpoints))[0]["metadata"]!["name"]!;
        await world.Api.DeleteAsync(Scenario.Checkpoints, "ml", name, null, Scenario.User, TestContext.Current.CancellationToken);
        await world.AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.Contains(await world.ListAsync(Scenario.Checkpoints), o => (string?)o["metadata"]!["name"] == name);

        await world.Api.CreateAsync(Scenario.Checkpoints, "ml", new() { ["metadata"] = new JsonObject { ["name"] = "opt-000000020-digest-20-5" }, ["spec"] = new JsonObject { ["pinned"] = true } }, Scenario.User, TestContext.Current.CancellationToken);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
        Assert.DoesNotContain(await world.ListAsync(Scenario.Checkpoints), o => (string?)o["metadata"]!["name"] == "opt-000000020-digest-20-5" && o["status"] is not null);
    });

    [Fact]
    public Task A_cluster_without_the_definition_trains_all_the_same() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.KillOperatorAsync();
        await world.Api.DeleteAsync(Scenario.Crds, null, $"{OptCheckpoint.Plural}.{OptTrainingJob.Group}", null, Scenario.User, TestContext.Current.CancellationToken);
        world.StartOperator();
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
    });

    private static OptCheckpointStatus StatusOf(JsonObject item) => item["status"]!.Deserialize(SpecJson.Default.OptCheckpointStatus)!;

    private static IEnumerable<(string?, string?)> Versions(IEnumerable<JsonObject> items) => items.Select(i => ((string?)i["metadata"]!["name"], (string?)i["metadata"]!["resourceVersion"]));

    private static Task<JsonObject> EditAsync(Scenario world, string name, JsonObject spec) =>
        world.Api.PatchAsync(Scenario.Checkpoints, "ml", name, PatchKind.Merge, new JsonObject { ["spec"] = spec }, Scenario.User, TestContext.Current.CancellationToken);
}
