using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

public sealed class DiagnosticsScenarios
{
    private static readonly string s_longer = LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 64000", StringComparison.Ordinal);

    [Fact]
    public Task A_spare_whose_own_tests_fail_is_cordoned_and_replaced_while_training_goes_on() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(s_longer.Replace("nodes: 2,", "nodes: 2, spareNodes: 1,", StringComparison.Ordinal));
        string? faulty = null;
        world.Agents.Prepare = agent =>
        {
            if (agent.Status().Pod != "opt-2" || faulty is not null) return;
            (faulty, agent.TestFault) = (agent.Status().Node, "wrong digest");
        };
        var ready = await world.UntilAsync(s => s.Nodes.SparesReady == 1, seconds: 120);
        Assert.Equal(1, ready.Epoch);
        Assert.All(ready.NodeTests, t => Assert.Equal("passed", t.State));
        Assert.DoesNotContain((await world.PlanAsync()).Members, m => m.Node == faulty);
        var node = await world.Api.GetAsync(ResourceId.Nodes, null, faulty!, TestContext.Current.CancellationToken);
        Assert.Equal("DiagnosticsFailed", (string?)node["metadata"]!["labels"]!["training.opt-operator.io/quarantined"]);
        Assert.Contains("matrixProduct: wrong digest", ready.Nodes.Quarantined[0].Reason, StringComparison.Ordinal);
    });

    [Fact]
    public Task Diagnostics_asked_for_by_annotation_test_all_nodes_and_the_answer_names_the_faulty_one() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(s_longer);
        await world.UntilAsync(s => s.Step >= 12);
        var faulty = (await world.PlanAsync()).Members[1];
        world.Agents.Of(faulty).TestFault = "wrong digest";
        await world.EditJobAsync(new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [$"{JobRequest.Prefix}diagnose"] = "ask-1 quick" } } });

        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 120);
        var answer = Assert.Single(again.HandledRequests);
        Assert.Equal(("diagnose", "ask-1"), (answer.Request, answer.Id));
        Assert.Contains($"faulty: {faulty.Node}", answer.Answer, StringComparison.Ordinal);
        Assert.DoesNotContain((await world.PlanAsync()).Members, m => m.Node == faulty.Node);
        Assert.Contains(again.Logbook, e => e.What == $"quarantined node {faulty.Node}");
    });

    [Fact]
    public Task Steps_that_are_done_again_after_tests_are_no_hang_however_many_they_are() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(s_longer.Replace("directory: {path: /checkpoints}}", "directory: {path: /checkpoints}}, every: {steps: 100}", StringComparison.Ordinal).Replace("failurePolicy: {", "failurePolicy: {hangAtLeast: 10s, ", StringComparison.Ordinal));
        for (var hang = 1; hang <= 2; hang++)
        {
            var epoch = hang;
            await world.UntilAsync(s => s.Epoch == epoch && s.Step >= 30 * epoch, seconds: 200);
            foreach (var member in (await world.PlanAsync()).Members) world.Agents.Of(member).Stopped = true;
        }

        var after = await world.UntilAsync(s => s.Epoch > 2 && s.Step > 70, seconds: 300);
        Assert.Equal(3, after.Epoch);
        Assert.Contains("nodes passed", (await world.PlanAsync()).Cause.Message, StringComparison.Ordinal);   // so seconds lay between the fence and the plan
    });

    [Fact]
    public Task A_node_that_breaks_collectives_without_a_sign_is_found_by_pair_tests() => Scenario.RunAsync(nodes: 5, async world =>
    {
        await world.CreateJobAsync(s_longer.Replace("nodes: 2,", "nodes: 4,", StringComparison.Ordinal).Replace("batchTokens: 64,", "batchTokens: 256,", StringComparison.Ordinal).Replace("totalTokens: 64000", "totalTokens: 256000", StringComparison.Ordinal)
            .Replace("failurePolicy: {", "failurePolicy: {hangAtLeast: 10s, ", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 12);
        var bad = (await world.PlanAsync()).Members[2];
        world.Agents.NetworkFault = (pod, others) => pod == bad.Pod || others.Contains(bad.Pod) ? "no answer" : null;
        for (var hang = 1; hang <= 2; hang++)
        {
            var epoch = hang;
            await world.UntilAsync(s => s.Epoch == epoch && s is { Phase: JobPhase.Running, Step: > 15 });
            foreach (var member in (await world.PlanAsync()).Members) world.Agents.Of(member).Stopped = true;
        }

        await world.UntilAsync(s => s is { Epoch: 3, Phase: JobPhase.Running }, seconds: 200);
        var plan = await world.PlanAsync();
        Assert.DoesNotContain(plan.Members, m => m.Node == bad.Node);
        Assert.Contains("pair tests", plan.Cause.Message, StringComparison.Ordinal);
        var quarantined = Assert.Single((await world.StatusAsync()).Nodes.Quarantined);
        Assert.Equal(bad.Node, quarantined.Name);
        Assert.Contains("who passed with others", quarantined.Reason, StringComparison.Ordinal);
    });
}
