using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Two jobs that hold half of the machines each, and need all of them.</summary>
public sealed class ReleaseOrderScenarios
{
    private const string Name = "{name: opt, namespace: ml}";
    private static readonly string First = LifecycleScenarios.Manifest.Replace("nodes: 2, acceleratorsPerNode: 1", "nodes: 4, acceleratorsPerNode: 8", StringComparison.Ordinal)
        .Replace(", acceleratorResource: \"\"", "", StringComparison.Ordinal).Replace("batchTokens: 64, totalTokens: 3840", "batchTokens: 2048, totalTokens: 122880", StringComparison.Ordinal).Replace("agentSilence: 10s", "agentSilence: 10s, provisionDeadline: 1m", StringComparison.Ordinal);

    /// <summary>It tolerates the cordon by which it gets the other half.</summary>
    private static readonly string Second = First.Replace(Name, "{name: second, namespace: ml}", StringComparison.Ordinal)
        .Replace("{image: \"opt-trainer:1\"}", "{image: \"opt-trainer:1\", template: {spec: {tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists}]}}}", StringComparison.Ordinal);

    [Fact]
    public Task Of_two_jobs_that_hold_half_of_the_machines_each_the_younger_releases_and_both_come_to_their_end() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await HalvesAsync(world, Second);
        var running = await world.UntilAsync(s => s.Phase is JobPhase.Running, seconds: 600);
        Assert.Equal(4, running.Nodes.Ready);
        Assert.DoesNotContain(running.Logbook, Released);
        Assert.Single((await world.StatusAsync("second")).Logbook, Released);

        await world.UntilAsync(s => s.Phase is JobPhase.Succeeded);
        var other = await world.UntilAsync(s => s.Phase is JobPhase.Succeeded, seconds: 900, name: "second");
        Assert.Single(other.Logbook, Released);
    });

    [Fact]
    public Task Priority_goes_before_age() => Scenario.RunAsync(nodes: 4, async world =>
    {
        var urgent = new JsonObject { ["metadata"] = new JsonObject { ["name"] = "urgent" }, ["value"] = 100, ["preemptionPolicy"] = "Never" };
        await world.Api.CreateAsync(new("scheduling.k8s.io", "v1", "priorityclasses"), null, urgent, Scenario.User, TestContext.Current.CancellationToken);
        await HalvesAsync(world, Second.Replace("template: {spec: {", "template: {spec: {priorityClassName: urgent, ", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Phase is JobPhase.Running, seconds: 600, name: "second");
        Assert.Single((await world.StatusAsync()).Logbook, Released);
    });

    private static bool Released(LogbookEntry entry) => entry.What == "released all pods";

    private static async Task HalvesAsync(Scenario world, string second)
    {
        foreach (var node in (string[])["node-2", "node-3"]) await CordonAsync(world, node, true);
        await world.CreateJobAsync(First);
        await world.UntilAsync(s => Waits(s, 2));
        await world.CreateJobAsync(second);
        await world.UntilAsync(s => Waits(s, 2), name: "second");
        foreach (var node in (string[])["node-2", "node-3"]) await CordonAsync(world, node, false);
    }

    private static bool Waits(OptTrainingJobStatus s, int ready) => s.Conditions.Any(c => c is { Type: ConditionTypes.MembersPlaced, Reason: Placement.Waiting } && c.Message.StartsWith($"{ready} of 4", StringComparison.Ordinal));

    private static Task<JsonObject> CordonAsync(Scenario world, string node, bool cordoned) =>
        world.Api.PatchAsync(ResourceId.Nodes, null, node, PatchKind.Merge, new JsonObject { ["spec"] = new JsonObject { ["unschedulable"] = cordoned ? true : null } }, Scenario.User, TestContext.Current.CancellationToken);
}
