using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.LocalCluster.ApiServer;
using Opt.Scenarios.World;
using Xunit;

namespace Opt.Scenarios;

/// <summary>The breaker bounds what all jobs together put aside.</summary>
public sealed class BreakerScenarios
{
    private static readonly string First = LifecycleScenarios.Manifest.Replace("totalTokens: 3840", "totalTokens: 38400", StringComparison.Ordinal);
    private static readonly string Second = First.Replace("{name: opt, namespace: ml}", "{name: second, namespace: ml}", StringComparison.Ordinal);

    [Fact]
    public Task Two_jobs_that_lose_a_device_at_the_same_moment_share_the_last_place_under_the_breaker() => Scenario.RunAsync(nodes: 8, async world =>
    {
        await world.KillOperatorAsync();
        world.Options = new() { Workers = 4, Breaker = new(Nodes: 1) };
        world.StartOperator();
        await world.CreateJobAsync(First);
        await world.CreateJobAsync(Second);
        await world.UntilAsync(s => s.Step >= 12);
        await world.UntilAsync(s => s.Step >= 12, name: "second");
        var one = (await world.PlanAsync()).Members[0];
        var other = (await world.PlanAsync("second")).Members.First(m => m.Node != one.Node);
        world.Agents.Of(one).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error");
        world.Second.Of(other).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error");

        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 120);
        await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running }, seconds: 120, name: "second");
        var aside = Assert.Single(await world.ListAsync(ResourceId.Nodes, null), n => n["metadata"]!["labels"]?["training.opt-operator.io/quarantined"] is not null);
        string[] causes = [(await world.PlanAsync()).Cause.Message, (await world.PlanAsync("second")).Cause.Message];
        Assert.Contains((string?)aside["metadata"]!["name"], (string[])[one.Node, other.Node]);
        Assert.Single(causes, c => c.Contains("as many nodes of the cluster are quarantined as the operator may put aside", StringComparison.Ordinal));
    });

    /// <summary>NVSentinel#1852: the breaker holds back what puts nodes aside, not what gives them back.</summary>
    [Fact]
    public Task A_node_is_given_back_in_its_time_while_the_breaker_is_open() => Scenario.RunAsync(nodes: 4, async world =>
    {
        await world.KillOperatorAsync();
        world.Options = new() { Workers = 1, Breaker = new(Nodes: 1) };
        world.StartOperator();
        await world.CreateJobAsync(First.Replace("agentSilence: 10s", "agentSilence: 10s, quarantineFor: 1m", StringComparison.Ordinal));
        await world.UntilAsync(s => s.Step >= 12);
        world.Agents.Of((await world.PlanAsync()).Members[1]).Fail(WorkerExit.Device, world.Clock.GetUtcNow(), "CUDA error");
        var aside = await world.UntilAsync(s => s is { Epoch: 2, Phase: JobPhase.Running, Nodes.Quarantined.Count: 1 }, seconds: 50);
        Assert.NotNull(aside.Nodes.Quarantined[0].Until);
        var back = await world.UntilAsync(s => s.Nodes.Quarantined.Count == 0, seconds: 90);
        Assert.Equal((2L, JobPhase.Running), (back.Epoch, back.Phase));
    });
}
