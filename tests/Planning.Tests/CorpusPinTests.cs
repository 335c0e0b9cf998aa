using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>The data that a job began with stays its data.</summary>
public sealed class CorpusPinTests
{
    private static readonly CorpusDigest First = new() { Path = "corpus", Digest = "first", Tokens = 1000 };

    [Fact]
    public void Once_an_epoch_has_stepped_every_later_plan_says_what_its_corpora_held()
    {
        var world = Started();
        Assert.Null(world.Plan!.Corpora);

        Relaunch(world, epoch: 2);
        Assert.Equal([First], world.Plan.Corpora);
    }

    [Fact]
    public void What_agents_hold_later_changes_nothing_of_it_nor_does_another_operator()
    {
        var world = Started();
        Relaunch(world, epoch: 2);
        foreach (var agent in world.Agents) agent.Corpora = [First with { Digest = "changed" }];
        world.RestartOperator(loseStatus: true);

        Relaunch(world, epoch: 3);
        Assert.Equal([First], world.Plan!.Corpora);
    }

    [Fact]
    public void A_launch_that_never_stepped_pins_nothing()
    {
        var world = new SimulatedWorld(Make.Job(), nodes: 2);
        world.RunUntil(w => w.Agents.Any(a => a.State is AgentState.Launching));
        foreach (var agent in world.Agents) agent.Corpora = [First];
        world.Agents.Last().Fail(WorkerExit.Internal, world.Now, "boom");

        world.RunUntil(w => w.Plan is { Epoch: 2 });
        Assert.Null(world.Plan!.Corpora);
    }

    [Fact]
    public void A_corpus_that_the_spec_no_longer_names_is_forgotten()
    {
        var world = Started();
        Relaunch(world, epoch: 2);
        world.Job = world.Job.Edited(s => s with { Data = s.Data with { Train = [new() { Path = "another" }] } });

        world.RunUntil(w => w.Plan is { Epoch: 3 });
        Assert.Null(world.Plan!.Corpora);
    }

    private static SimulatedWorld Started()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 2000), nodes: 2);
        world.RunUntil(w => w.Step == 10);
        foreach (var agent in world.Agents) agent.Corpora = [First];
        return world;
    }

    private static void Relaunch(SimulatedWorld world, long epoch)
    {
        world.Agents.Last().Fail(WorkerExit.Internal, world.Now, "boom");
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running } status && status.Epoch == epoch);
    }
}
