using System.Text.Json.Nodes;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>The operator may die at any moment, and may not be noticed by the workers when it does.</summary>
public sealed class OperatorDeathScenarios
{
    [Fact]
    public Task A_restarted_operator_finds_everything_again_and_touches_no_worker() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 12800", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 5);
        var (launches, plans) = (world.Agents.Launches, (await world.ListAsync(new("", "v1", "configmaps"))).Count);
        await world.KillOperatorAsync();
        await world.AdvanceAsync(TimeSpan.FromSeconds(60));
        // Even what the status says is only a cache.
        await world.Api.PatchAsync(Scenario.Jobs, "ml", "opt", PatchKind.Merge, new JsonObject { ["status"] = null }, Scenario.User, TestContext.Current.CancellationToken, subresource: "status");
        world.StartOperator();

        var status = await world.UntilAsync(s => s.Step >= 80, seconds: 60);
        Assert.Equal((JobPhase.Running, 1L, 0), (status.Phase, status.Epoch, status.Restarts.Total));
        Assert.Equal(launches, world.Agents.Launches);
        Assert.Equal(plans, (await world.ListAsync(new("", "v1", "configmaps"))).Count);
    });

    [Fact]
    public Task A_clock_that_is_set_back_holds_no_number_of_the_status_back() => Scenario.RunAsync(nodes: 2, replicas: 1, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 12800", StringComparison.Ordinal));
        var before = await world.UntilAsync(s => s is { Step: >= 5, LastCheckpoint: not null });
        world.Operators[0].Clock.Offset -= TimeSpan.FromMinutes(30);

        var after = await world.UntilAsync(s => s.Step >= before.Step + 40 && s.LastCheckpoint!.Step > before.LastCheckpoint!.Step, seconds: 90);
        Assert.Equal((JobPhase.Running, 1L), (after.Phase, after.Epoch));
    });

    [Fact]
    public Task Operators_that_were_stopped_come_to_and_leave_the_training_alone() => Scenario.RunAsync(nodes: 2, replicas: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 12800", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 5);
        foreach (var stopped in world.Operators) stopped.Clock.Stop();
        await world.AdvanceAsync(TimeSpan.FromMinutes(2));
        foreach (var stopped in world.Operators) stopped.Clock.Continue();

        var after = await world.UntilAsync(s => s.Step >= 150, seconds: 90);
        Assert.Equal((1L, 0), (after.Epoch, after.Restarts.Total));
    });

    [Fact]
    public Task A_leader_that_was_stopped_between_its_fence_and_its_plan_makes_no_plan_once_another_has() => Scenario.RunAsync(nodes: 3, replicas: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 12800", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 12);
        var leader = world.Operators.Single(o => o.Leads);
        world.Agents.Latency = TimeSpan.FromSeconds(10);   // the fence is on its way when the leader stops
        world.Agents.Of((await world.PlanAsync()).Members[0]).Fail(WorkerExit.Internal, world.Clock.GetUtcNow(), "killed by signal 9");
        await world.AdvanceAsync(TimeSpan.FromSeconds(7));
        leader.Clock.Stop();
        await world.AdvanceAsync(TimeSpan.FromSeconds(6));
        Assert.Equal((2L, 1L), (world.Agents.FencedEpoch, (await world.PlanAsync()).Epoch));
        world.Agents.Latency = TimeSpan.Zero;
        await world.UntilAsync(s => s.Epoch == 3, seconds: 120);
        leader.Clock.Continue();

        await world.UntilAsync(s => s.Phase is JobPhase.Running && s.Step >= 40, seconds: 120);
        var plans = (await world.ListAsync(new("", "v1", "configmaps"))).Where(m => m["metadata"]!["labels"]?["training.opt-operator.io/epoch"] is not null)
            .ToDictionary(m => (string)m["metadata"]!["name"]!, m => m["data"]?["plan.json"] is not null);
        Assert.Equal([("opt-plan-1", true), ("opt-plan-2", false), ("opt-plan-3", true)], plans.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (p.Key, p.Value)));
        Assert.Equal(1, (await world.StatusAsync()).Restarts.Total);
    });

    /// <summary>The others and the store bear witness.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task A_run_that_ends_while_its_rank_0_is_cut_off_from_the_operator_is_complete(bool operatorDies) => Scenario.RunAsync(nodes: 2, replicas: 1, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await world.UntilAsync(_ => world.Agents.All.Any(a => a.LastAttempt >= 52));   // the status is written every 15 s only
        world.Operators[0].Agents.Cut((await world.PlanAsync()).Members[0].PodUid);
        if (operatorDies)
        {
            await world.ReplaceAsync(world.Operators[0]);
            world.Operators[0].Agents.Cut((await world.PlanAsync()).Members[0].PodUid);
        }

        var done = await world.UntilAsync(s => s.Phase is JobPhase.Succeeded, seconds: 90);
        Assert.Equal((1L, 60L, 60L, 0), (done.Epoch, done.Step, done.LastCheckpoint!.Step, done.Restarts.Total));
        Assert.DoesNotContain(await world.ListAsync(ResourceId.Nodes, null), n => n["metadata"]!["labels"]?["training.opt-operator.io/quarantined"] is not null);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(9)]
    public Task An_operator_that_dies_after_any_of_its_writes_is_continued_by_the_next(int writes) => Scenario.RunAsync(nodes: 3, async world =>
    {
        // First through creation and launch, then through the replacement of a node.
        world.Link.DieAfterWrites = writes;
        await world.CreateJobAsync(LifecycleScenarios.Manifest);
        await DieAndComeBackAsync(world);
        await world.UntilAsync(s => s.Step >= 12, seconds: 120);
        Assert.Equal(1, (await world.PlanAsync()).Epoch);

        var dead = (await world.PlanAsync()).Members[1];
        world.Link.DieAfterWrites = writes;
        world.Nodes.Kill(dead.Node);
        await world.AdvanceAsync(TimeSpan.FromSeconds(50));
        await DieAndComeBackAsync(world);
        var done = await world.UntilAsync(s => s.Phase == JobPhase.Succeeded, seconds: 240);

        Assert.Equal(60, done.Step);
        Assert.Equal(1, done.Restarts.Total);
        Assert.Equal(dead.Node, Assert.Single(done.Nodes.Quarantined).Name);
        var plans = (await world.ListAsync(new("", "v1", "configmaps"))).Count(m => m["data"]?["plan.json"] is not null);
        Assert.Equal(2, plans);
    });

    [Fact]
    public Task Training_goes_on_while_the_API_server_cannot_be_reached() => Scenario.RunAsync(nodes: 2, async world =>
    {
        await world.CreateJobAsync(LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 25600", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 5);
        var launches = world.Agents.Launches;
        world.Link.Cut();
        await world.AdvanceAsync(TimeSpan.FromMinutes(3));
        world.Link.Mend();
        var status = await world.UntilAsync(s => s.Step >= 185, seconds: 60);
        Assert.Equal((1L, 0), (status.Epoch, status.Restarts.Total));
        Assert.Equal(launches, world.Agents.Launches);
    });

    private static async Task DieAndComeBackAsync(Scenario world)
    {
        for (var i = 0; i < 30 && world.Link.DieAfterWrites > 0; i++) await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        await world.KillOperatorAsync();
        world.Link.DieAfterWrites = null;
        world.Link.Mend();
        world.StartOperator();
    }
}
