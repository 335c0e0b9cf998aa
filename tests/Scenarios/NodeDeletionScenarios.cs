using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>Machines that are taken out of the cluster, and operators of another release that come and go.</summary>
public sealed class NodeDeletionScenarios
{
    private static readonly string Manifest = LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 38400", StringComparison.Ordinal);

    [Fact]
    public Task A_machine_that_is_removed_from_the_cluster_is_replaced_and_blamed_for_nothing() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var gone = (await world.PlanAsync()).Members[1];
        world.Nodes.Kill(gone.Node);
        await world.Api.DeleteAsync(ResourceId.Nodes, null, gone.Node, null, Scenario.User, TestContext.Current.CancellationToken);
        var again = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 300);
        Assert.NotEqual(gone.Node, (await world.PlanAsync()).Members[1].Node);
        Assert.Empty(again.Nodes.Quarantined);
    });

    /// <summary>
    /// What another release leaves behind: fields that this one does not know in the status, in plans and in what nodes remember. A plan is immutable, so the newer operator's
    /// mark stands on a ConfigMap of its own making: its annotations.
    /// </summary>
    [Fact]
    public Task What_an_operator_of_another_release_left_in_status_plans_and_nodes_costs_no_relaunch() => Scenario.RunAsync(nodes: 3, async world =>
    {
        await world.CreateJobAsync(Manifest);
        await world.UntilAsync(s => s.Step >= 12);
        var launches = world.Agents.Launches;
        await world.KillOperatorAsync();
        var plan = (await world.ListAsync(new("", "v1", "configmaps"))).Single(m => m["data"]?["plan.json"] is not null);
        await world.Api.DeleteAsync(new("", "v1", "configmaps"), "ml", (string)plan["metadata"]!["name"]!, null, Scenario.User, TestContext.Current.CancellationToken);
        await world.Api.CreateAsync(new("", "v1", "configmaps"), "ml", Newer(plan), Scenario.User, TestContext.Current.CancellationToken);
        await world.Api.PatchAsync(ResourceId.Nodes, null, "node-0", PatchKind.Merge, new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["training.opt-operator.io/offences"] = """{"offences": [], "ofTheFuture": {"a": 1}}""" } } }, Scenario.User, TestContext.Current.CancellationToken);
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        world.StartOperator();

        var status = await world.UntilAsync(s => s.Step >= 90, seconds: 90);
        Assert.Equal((JobPhase.Running, 1L, 0), (status.Phase, status.Epoch, status.Restarts.Total));
        Assert.Equal(launches, world.Agents.Launches);
    });

    private static JsonObject Newer(JsonObject map)
    {
        var plan = JsonNode.Parse((string)map["data"]!["plan.json"]!)!.AsObject();
        plan["ofTheFuture"] = new JsonArray(new JsonObject { ["kind"] = "unknown" });
        plan["members"]![0]!["ofTheFuture"] = true;
        var metadata = new JsonObject { ["name"] = map["metadata"]!["name"]!.DeepClone(), ["labels"] = map["metadata"]!["labels"]!.DeepClone(), ["ownerReferences"] = map["metadata"]!["ownerReferences"]!.DeepClone(), ["annotations"] = new JsonObject { ["training.opt-operator.io/of-the-future"] = "yes" } };
        var data = map["data"]!.DeepClone().AsObject();
        data["plan.json"] = plan.ToJsonString();
        return new() { ["apiVersion"] = "v1", ["kind"] = "ConfigMap", ["metadata"] = metadata, ["immutable"] = true, ["data"] = data };
    }
}
