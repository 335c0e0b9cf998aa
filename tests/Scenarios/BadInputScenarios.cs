using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Bad input changes nothing and says why.</summary>
public sealed class BadInputScenarios
{
    [Theory]
    [InlineData("nodes: 2", "nodes: 0", "spec.topology.nodes")]
    [InlineData("precision: fp32", "precision: fp8", "spec.training.precision")]
    [InlineData("heads: 4", "heads: 5", "heads must divide hiddenSize")]
    [InlineData("directory: {path: /checkpoints}", "unused: {}", "give exactly one of azureBlob and directory")]
    [InlineData("name: opt,", "name: Opt_1,", "metadata.name")]
    public Task The_API_server_refuses_what_the_schema_can_say(string valid, string invalid, string message) => Scenario.RunAsync(nodes: 0, async world =>
    {
        var refusal = await Assert.ThrowsAsync<ApiException>(() => world.CreateJobAsync(LifecycleScenarios.Manifest.Replace(valid, invalid, StringComparison.Ordinal)));
        Assert.Equal(422, refusal.Code);
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
    });

    [Fact]
    public Task What_the_schema_cannot_say_becomes_a_condition_and_nothing_is_made() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("checkpoint: {", "checkpoint: {every: sometimes, ", StringComparison.Ordinal));
        var status = await world.UntilAsync(s => s.Conditions.Any(c => c is { Type: ConditionTypes.SpecValid, Status: "False" }), seconds: 5);
        Assert.Contains("\"sometimes\" is not allowed; use \"auto\"", status.Conditions.Single(c => c.Type == ConditionTypes.SpecValid).Message, StringComparison.Ordinal);
        Assert.Empty(await world.ListAsync(ResourceId.StatefulSets));

        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["checkpoint"] = new JsonObject { ["every"] = "auto" } } });
        await world.UntilAsync(s => s.Phase == JobPhase.Running);
    });

    [Fact]
    public Task An_edit_the_schema_lets_through_changes_nothing_and_failures_are_still_repaired() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["checkpoint"] = new JsonObject { ["every"] = "sometimes" } } });
        await world.UntilAsync(s => s.Conditions.Any(c => c is { Type: ConditionTypes.SpecValid, Status: "False" }), seconds: 5);
        world.Agents.Of((await world.PlanAsync()).Members[1]).Fail(WorkerExit.Internal, world.Clock.GetUtcNow());

        var status = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 20);
        Assert.Contains("\"sometimes\" is not allowed", status.Conditions.Single(c => c.Type == ConditionTypes.SpecValid).Message, StringComparison.Ordinal);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
    });

    [Fact]
    public Task An_edit_of_an_immutable_field_is_refused_and_the_job_trains_on() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(s => s.Phase == JobPhase.Running);
        foreach (var edit in new JsonObject[] { new() { ["training"] = new JsonObject { ["seed"] = 2 } }, new() { ["model"] = new JsonObject { ["layers"] = 3 } }, new() { ["topology"] = new JsonObject { ["acceleratorsPerNode"] = 2 } } })
        {
            var refusal = await Assert.ThrowsAsync<ApiException>(() => world.EditJobAsync(new JsonObject { ["spec"] = edit }));
            Assert.Contains("is immutable", refusal.Message, StringComparison.Ordinal);
        }

        Assert.Equal(1, (await world.UntilAsync(s => s.Phase == JobPhase.Succeeded)).Epoch);
    });

    [Fact]
    public Task A_typo_in_the_pod_template_is_found_by_a_dry_run() => Scenario.RunAsync(nodes: 2, async world =>
    {
        var manifest = LifecycleScenarios.Manifest.Replace("acceleratorResource: \"\"", "acceleratorResource: \"\", template: {spec: {containers: [{name: trainer, imagePullPolice: Always}]}}", StringComparison.Ordinal);
        await world.CreateJobAsync(manifest);
        var status = await world.UntilAsync(s => s.Conditions.Any(c => c is { Type: ConditionTypes.PodTemplateValid, Status: "False" }), seconds: 5);
        Assert.Contains("imagePullPolice", status.Conditions.Single(c => c.Type == ConditionTypes.PodTemplateValid).Message, StringComparison.Ordinal);
        Assert.Empty(await world.ListAsync(ResourceId.StatefulSets));
    });

    [Fact]
    public Task Too_few_nodes_are_named_with_the_schedulers_own_words() => Scenario.RunAsync(nodes: 1, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        var status = await world.UntilAsync(s => s.Conditions.Any(c => c is { Type: ConditionTypes.MembersPlaced, Status: "False" } && c.Message.Contains("Unschedulable", StringComparison.Ordinal)), seconds: 30);
        Assert.Equal(JobPhase.Provisioning, status.Phase);
        Assert.Contains("1 of 2 members ready", status.Conditions.Single(c => c.Type == ConditionTypes.MembersPlaced).Message, StringComparison.Ordinal);
    });

    [Fact]
    public Task A_strangers_object_of_the_same_name_is_left_alone() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.Api.CreateAsync(new("", "v1", "services"), "ml", new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = "opt" }, ["spec"] = new JsonObject { ["ports"] = new JsonArray(new JsonObject { ["port"] = 80 }), ["selector"] = new JsonObject { ["app"] = "other" } },
        }, Scenario.User, TestContext.Current.CancellationToken);
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        var status = await world.UntilAsync(s => s.Conditions.Any(c => c.Reason == "NameTaken"), seconds: 10);
        Assert.Contains("Service opt exists and does not belong to this job", status.Conditions.Single(c => c.Reason == "NameTaken").Message, StringComparison.Ordinal);
        var service = await world.Api.GetAsync(new("", "v1", "services"), "ml", "opt", TestContext.Current.CancellationToken);
        Assert.Equal("other", (string?)service["spec"]!["selector"]!["app"]);
    });

    [Theory]
    [InlineData(1)]   // as high as a new cluster's first epoch
    [InlineData(7)]
    public Task A_store_of_another_job_is_refused_until_adopted(long fenced) => Scenario.RunAsync(nodes: 2, async world =>
    {
        (world.Agents.StoreOwner, world.Agents.FencedEpoch) = ("another-job", fenced);
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        var status = await world.UntilAsync(s => s.Phase == JobPhase.Failed, seconds: 20);
        Assert.Contains("set checkpoint.adopt", status.Conditions.Single(c => c.Type == ConditionTypes.Failed).Message, StringComparison.Ordinal);
        Assert.Equal("Refused", status.Conditions.Single(c => c.Type == ConditionTypes.StoreReady).Reason);

        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["checkpoint"] = new JsonObject { ["adopt"] = true } } });
        var running = await world.UntilAsync(s => s.Phase == JobPhase.Running, seconds: 30);
        Assert.Equal(fenced + 1, running.Epoch);
        Assert.Equal("True", running.Conditions.Single(c => c.Type == ConditionTypes.StoreReady).Status);
    });
}
