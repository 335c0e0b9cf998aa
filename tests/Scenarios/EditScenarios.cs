using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Edits of a running job, each taken as its field says.</summary>
public sealed class EditScenarios
{
    [Fact]
    public Task A_live_edit_is_in_force_within_seconds_and_proved_by_the_trainer() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 5);
        var launches = world.Agents.Launches;
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["learningRate"] = new JsonObject { ["peak"] = 5e-4 } } } });
        var status = await world.UntilAsync(s => s is { Revision: 1, LearningRate: 5e-4 } && s.Conditions.Any(c => c is { Type: ConditionTypes.SpecInForce, Status: "True" }), seconds: 30);
        Assert.Equal(1, status.Epoch);
        Assert.Equal(launches, world.Agents.Launches);
        Assert.Contains(status.Logbook, e => e.Actor == "user" && e.What.StartsWith("edited the spec: ", StringComparison.Ordinal) && e.What.Contains("0.001 -> 0.0005", StringComparison.Ordinal));
    });

    [Fact]
    public Task A_live_edit_that_the_trainer_never_got_goes_along_with_the_drain_for_the_next_edit() => Scenario.RunAsync(nodes: 2, replicas: 1, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 5);
        world.Operators[0].Agents.IsCut = true;
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["gradientClip"] = 27 } } });
        await world.UntilAsync(s => s.Revision == 1, seconds: 30);
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["microBatchSequences"] = 2 } } });
        world.Operators[0].Agents.Mend();
        var status = await world.UntilAsync(s => s.Epoch == 2 || s.Phase is JobPhase.Paused, seconds: 60);
        Assert.Equal(2, status.Epoch);
        var done = await world.UntilAsync(s => s.Phase is JobPhase.Succeeded or JobPhase.Paused, seconds: 120);
        Assert.Equal((JobPhase.Succeeded, 27.0), (done.Phase, (await world.PlanAsync()).Training.HyperParameters.GradientClip));
    });

    [Fact]
    public Task An_edit_of_a_policy_is_in_force_at_once_moves_no_value_and_is_in_the_logbook() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 5);
        var launches = world.Agents.Launches;
        var policy = JsonNode.Parse("""{"name": "calm", "when": {"loss": {"below": 1e9, "forSteps": 3}}, "then": [{"learningRate": {"multiply": 0.5}}], "cooldown": {"steps": 500}, "mode": "Shadow"}""")!;
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["divergencePolicies"] = new JsonArray(policy.DeepClone()) } });
        var shadow = await world.UntilAsync(s => s.Logbook.Any(e => e.What == "edited the spec: policy calm added (Shadow)") && s.Logbook.Any(e => e.Actor == "policy calm"), seconds: 60);
        policy["mode"] = "Enforce";
        policy["cooldown"] = JsonNode.Parse("""{"steps": 2}""");
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["divergencePolicies"] = new JsonArray(policy) } });
        var enforced = await world.UntilAsync(s => s.LearningRate < 0.001 && s.Logbook.Any(e => e.What == "edited the spec: policy calm changed"), seconds: 60);

        Assert.Equal(0.001, shadow.LearningRate);
        Assert.Equal((1, launches), (enforced.Epoch, world.Agents.Launches));
    });

    [Fact]
    public Task How_checkpoints_are_saved_kept_and_judged_changes_without_a_relaunch_and_the_trainer_reports_it() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 11);
        var edit = new JsonObject { ["every"] = new JsonObject { ["steps"] = 2 }, ["keep"] = new JsonObject { ["last"] = 7 }, ["healthyWhen"] = new JsonObject { ["afterSteps"] = 3 } };
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["checkpoint"] = edit } });
        var status = await world.UntilAsync(s => s.Revision == 1 && s.Conditions.Any(c => c is { Type: ConditionTypes.SpecInForce, Status: "True" }), seconds: 30);
        Assert.Contains("checkpoint.every, checkpoint.keep, checkpoint.healthyWhen", Assert.Single(status.Logbook, e => e.Actor == "user").What, StringComparison.Ordinal);
        await world.UntilAsync(s => s.Step >= 20);

        Assert.Equal((1L, 7), (status.Epoch, (await world.PlanAsync()).Training.Checkpoint.Keep.Last));
        Assert.Contains(world.Agents.Commits, c => c.Step % 2 == 0 && c.Step % 5 != 0);
        // The next launch keeps what was edited.
        world.Agents.Of((await world.PlanAsync()).Members[1]).Fail(Opt.Api.Protocol.WorkerExit.Internal, world.Clock.GetUtcNow(), "died");
        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        Assert.Equal(2, (await world.PlanAsync()).Training.Checkpoint.Every.Steps);
    });

    [Fact]
    public Task A_trainer_that_takes_checkpoint_settings_at_launch_only_is_not_said_to_have_adopted_an_edit() => Scenario.RunAsync(nodes: 2, async world =>
    {
        world.Agents.Shape = r => r with { Checkpointing = null };
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 5 && s.Conditions.Any(c => c is { Type: ConditionTypes.SpecInForce, Status: "True" }));
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["checkpoint"] = new JsonObject { ["every"] = new JsonObject { ["steps"] = 2 } } } });
        await world.UntilAsync(s => s.Conditions.Any(c => c is { Type: ConditionTypes.SpecInForce, Status: "False", Reason: "NextLaunch" }), seconds: 30);
    });

    [Fact]
    public Task A_new_image_recreates_all_pods_in_one_transition_and_loses_no_step() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var before = (await world.ListAsync(ResourceId.Pods)).Select(p => (string?)p["metadata"]!["uid"]).ToArray();
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["pod"] = new JsonObject { ["image"] = "opt-trainer:2" } } });
        var status = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);

        var pods = await world.ListAsync(ResourceId.Pods);
        Assert.All(pods, p => Assert.Equal("opt-trainer:2", (string?)p["spec"]!["containers"]![0]!["image"]));
        Assert.Empty(pods.Select(p => (string?)p["metadata"]!["uid"]).Intersect(before));
        Assert.Equal(Reasons.SpecChanged, Assert.Single(status.Restarts.ByCause).Cause);
        Assert.Equal(0, status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);
    });
}
