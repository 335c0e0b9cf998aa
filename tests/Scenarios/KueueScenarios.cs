using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>A job in a queue.</summary>
public sealed class KueueScenarios
{
    private static readonly string Queued = LifecycleScenarios.Manifest
        .Replace("acceleratorResource: \"\"}", $"acceleratorResource: \"\", scheduling: {{queue: pretraining}}, template: {{spec: {{schedulingGates: [{{name: {SimulatedKueue.Gate}}}]}}}}}}", StringComparison.Ordinal)
        .Replace("agentSilence: 10s", "agentSilence: 10s, provisionDeadline: 1m", StringComparison.Ordinal)
        .Replace("totalTokens: 3840", "totalTokens: 64000", StringComparison.Ordinal);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task A_queued_job_keeps_its_place_is_admitted_and_goes_through_a_lost_node_and_a_suspension_with_no_edit_that_Kueue_refuses() => Scenario.RunAsync(nodes: 3, async world =>
    {
        var kueue = new SimulatedKueue(world.Api);
        var since = (string)(await world.Api.ListAsync(ResourceId.StatefulSets, "ml", ListQuery.All, Cancelled))["metadata"]!["resourceVersion"]!;
        await world.CreateJobAsync(Queued);

        // Longer than the deadline by which a half-placed job gives its machines back: this one holds none, and would lose its place.
        await world.AdvanceAsync(TimeSpan.FromMinutes(4));
        var waiting = await world.StatusAsync();
        Assert.Equal(JobPhase.Provisioning, waiting.Phase);
        Assert.Contains("SchedulingGated", waiting.Conditions.Single(c => c.Type == ConditionTypes.MembersPlaced).Message, StringComparison.Ordinal);
        var set = Assert.Single(await world.ListAsync(ResourceId.StatefulSets));
        Assert.Equal(("pretraining", 2, 1L), ((string?)set["metadata"]!["labels"]![SimulatedKueue.QueueLabel], (int)set["spec"]!["replicas"]!, (long)set["metadata"]!["generation"]!));
        Assert.Null(set["spec"]!["template"]!["metadata"]!["labels"]![SimulatedKueue.QueueLabel]);   // Kueue's own webhook adds it

        Assert.Equal(2, await kueue.AdmitAsync("ml", Cancelled));
        await world.UntilAsync(s => s.Step >= 12);

        world.Nodes.Kill((await world.PlanAsync()).Members[1].Node);
        await UntilAsync(world, kueue, s => s is { Phase: JobPhase.Running, Epoch: > 1 });

        await SuspendAsync(world, true);
        await world.UntilAsync(s => s.Phase == JobPhase.Suspended);
        await SuspendAsync(world, false);
        await UntilAsync(world, kueue, s => s.Phase == JobPhase.Running);

        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["pod"] = new JsonObject { ["image"] = "opt-trainer:2" } } });
        await UntilAsync(world, kueue, s => s.Phase == JobPhase.Recovering || s.Phase == JobPhase.Provisioning);
        await UntilAsync(world, kueue, s => s.Phase == JobPhase.Running);

        Assert.Equal([], await kueue.RefusedAsync("ml", "opt", since, Cancelled));
    });

    private static Task<JsonObject> SuspendAsync(Scenario world, bool suspend) => world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["suspend"] = suspend } });

    /// <summary>Quota is there for every pod that waits.</summary>
    private static async Task UntilAsync(Scenario world, SimulatedKueue kueue, Func<OptTrainingJobStatus, bool> holds)
    {
        for (var i = 0; i < 300 && !holds(await world.StatusAsync()); i++)
        {
            await kueue.AdmitAsync("ml", Cancelled);
            await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        Assert.True(holds(await world.StatusAsync()), $"the phase is {(await world.StatusAsync()).Phase}");
    }
}
