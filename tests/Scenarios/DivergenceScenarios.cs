using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Planning;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Divergence policies through the real operator and control plane, in virtual time.</summary>
public sealed class DivergenceScenarios
{
    private const string Policies = """
          divergencePolicies:
          - name: explosion
            when: {loss: {notFinite: true, forSteps: 3}}
            then:
            - rollback: {to: lastHealthy}
            - learningRate: {multiply: 0.5, floor: 1.0e-6}
            escalation:
            - then: [{rollback: {checkpoints: 2}}, {learningRate: {multiply: 0.1}}]
            cooldown: {steps: 5}
            limit: 2
          - name: noisy
            when: {gradientNorm: {above: 10}}
            then: [{gradientClip: {set: 0.3}}]
            mode: Shadow
        """;

    private static readonly string Manifest = LifecycleScenarios.Manifest + "\n" + Policies;

    private static readonly string Replaying = Manifest.Replace("    cooldown: {steps: 5}", "    cooldown: {steps: 5}\n    replay: {limit: 1, slack: 3}", StringComparison.Ordinal);

    [Fact]
    public Task A_divergence_at_night_is_rolled_back_with_a_lower_learning_rate_and_written_down() => Scenario.RunAsync(nodes: 2, async world =>
    {
        world.Agents.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = null } : r;
        await world.CreateJobAsync(Manifest);
        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running } && s.Step > 25, seconds: 60);

        var plan = await world.PlanAsync();
        Assert.Equal((15L, 5e-4), (plan.Resume!.Step, plan.Training.HyperParameters.PeakLearningRate));
        Assert.Equal("1.1", again.Run);
        Assert.Equal(["policy explosion"], again.HyperParameters.Where(h => h.Name == "peakLearningRate" && h.Reported == "0.0005").Select(h => h.SetBy));
        Assert.Equal("True", again.Conditions.Single(c => c.Type == ConditionTypes.OverrideApplied).Status);
        Assert.Equal([new RestartCount { Cause = Reasons.Divergence, Count = 1 }], again.Restarts.ByCause);
        Assert.Contains(world.Agents.Logbook.Values, e => e.Actor == "policy explosion" && e.What.Contains("0.001 -> 0.0005", StringComparison.Ordinal));
        Assert.All(world.Agents.Commits.Where(c => c.Epoch == 1 && c.Step > 22), c => Assert.Equal(HealthVerdict.Condemned, c.Verdict));
        Assert.Contains(await world.ListAsync(new("", "v1", "events")), e => (string?)e["reason"] == "DivergencePolicyFired");
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
    });

    [Fact]
    public Task An_operator_killed_after_deciding_goes_on_from_its_decision() => Scenario.RunAsync(nodes: 2, async world =>
    {
        world.Agents.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = null } : r;
        await world.CreateJobAsync(Manifest);
        for (var i = 0; i < 100 && await world.PlanAsync() is not { Revision: > 0 }; i++) await world.AdvanceAsync(TimeSpan.FromMilliseconds(200));
        await world.KillOperatorAsync();
        world.StartOperator();

        await world.UntilAsync(s => s is { Epoch: > 1, Phase: JobPhase.Running } && s.Step > 25, seconds: 60);
        var plan = await world.PlanAsync();
        Assert.Equal(5e-4, plan.Training.HyperParameters.PeakLearningRate, 12);
        Assert.Equal(["explosion"], plan.Firings.Select(f => f.Policy));
    });

    [Fact]
    public Task A_ladder_that_ends_pauses_the_job_and_an_annotation_lets_it_go_on() => Scenario.RunAsync(nodes: 2, async world =>
    {
        world.Agents.Shape = r => r.Step >= 23 ? r with { Loss = null } : r;
        await world.CreateJobAsync(Manifest);
        var paused = await world.UntilAsync(s => s.Phase == JobPhase.Paused, seconds: 200);
        Assert.Equal("Exhausted", paused.DivergencePolicies.Single(p => p.Name == "explosion").State);
        Assert.Equal(2, (await world.ListAsync(ResourceId.Pods)).Count);

        world.Agents.Shape = r => r;
        await world.EditJobAsync(new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [JobRequest.Prefix + "resume"] = "morning" } } });
        var done = await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
        Assert.Equal("resumed", Assert.Single(done.HandledRequests).Answer);
    });

    [Fact]
    public Task A_divergence_that_comes_back_when_its_data_are_run_again_is_the_numbers_and_the_policy_acts() => Scenario.RunAsync(nodes: 2, async world =>
    {
        world.Agents.Shape = r => r.Epoch <= 2 && r.Step >= 23 ? r with { Loss = null } : r;
        await world.CreateJobAsync(Replaying);
        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        var replay = await world.PlanAsync();
        Assert.Equal((15L, 1e-3, Reasons.DivergenceReplay), (replay.Resume!.Step, replay.Training.HyperParameters.PeakLearningRate, replay.Cause.Reason));

        var again = await world.UntilAsync(s => s is { Epoch: 3, Phase: JobPhase.Running, Step: > 25 }, seconds: 60);
        Assert.Equal(5e-4, (await world.PlanAsync()).Training.HyperParameters.PeakLearningRate);
        Assert.Equal([Reasons.Divergence, Reasons.DivergenceReplay], again.Restarts.ByCause.Select(r => r.Cause).Order(StringComparer.Ordinal));
        Assert.Contains(world.Agents.Logbook.Values, e => e.What.Contains("it came back when the same data were run again", StringComparison.Ordinal));
        Assert.Empty(again.Nodes.Quarantined);
    });

    [Fact]
    public Task A_divergence_that_does_not_come_back_is_a_machines_which_tests_then_find_and_no_value_moves() => Scenario.RunAsync(nodes: 3, async world =>
    {
        world.Agents.Shape = r => r.Epoch == 1 && r.Step >= 23 ? r with { Loss = null } : r;
        await world.CreateJobAsync(Replaying);
        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        var faulty = (await world.PlanAsync()).Members[1];
        world.Agents.Of(faulty).TestFault = "wrong digest";

        var again = await world.UntilAsync(s => s is { Epoch: > 2, Phase: JobPhase.Running, Step: > 35 }, seconds: 120);
        var plan = await world.PlanAsync();
        Assert.Equal(faulty.Node, Assert.Single(again.Nodes.Quarantined).Name);
        Assert.DoesNotContain(plan.Members, m => m.Node == faulty.Node);
        Assert.Equal(1e-3, plan.Training.HyperParameters.PeakLearningRate);
        Assert.All(again.HyperParameters, h => Assert.Equal("spec", h.SetBy));
        Assert.Contains(world.Agents.Logbook.Values, e => e.What.StartsWith("hardware: what fired at step 25 did not come back on the same data", StringComparison.Ordinal));
    });

    [Fact]
    public Task Shadow_only_records() => Scenario.RunAsync(nodes: 2, async world =>
    {
        world.Agents.Shape = r => r with { GradientNorm = r.Step == 12 ? 50 : 0.2 };
        await world.CreateJobAsync(Manifest);
        var done = await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);

        Assert.Equal(("Shadow", 1, 1L), (done.DivergencePolicies[1].State, done.DivergencePolicies[1].Firings, done.Epoch));
        Assert.Equal("spec", done.HyperParameters.Single(h => h.Name == "gradientClip").SetBy);
        Assert.Contains(done.Logbook, e => e.Actor == "policy noisy" && e.What.Contains("would have", StringComparison.Ordinal));
    });

    [Fact]
    public Task An_edit_that_slips_past_validation_is_said_and_failures_are_still_handled() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        await world.EditJobAsync(new JsonObject { ["spec"] = new JsonObject { ["training"] = new JsonObject { ["batchTokens"] = 63 } } });   // no rule of the schema says 64 positions
        var refused = await world.UntilAsync(s => s.Conditions.Any(c => c is { Type: ConditionTypes.SpecValid, Status: "False" }), seconds: 20);
        Assert.Contains("last valid spec", refused.Conditions.Single(c => c.Type == ConditionTypes.SpecValid).Message, StringComparison.Ordinal);
        await world.KillOperatorAsync();
        world.StartOperator();
        world.Agents.Of((await world.PlanAsync()).Members[1]).Fail(WorkerExit.Internal, world.Clock.GetUtcNow(), "died");

        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 60);
        await world.UntilAsync(s => s.Phase == JobPhase.Succeeded);
    });
}
