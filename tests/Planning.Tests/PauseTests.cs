using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>A pause that a person asks for.</summary>
public sealed class PauseTests
{
    [Fact]
    public void A_pause_saves_first_keeps_all_pods_and_ends_when_it_is_asked_to_without_a_lost_step()
    {
        var world = Running();
        var pods = world.Pods.Select(p => p.Uid).ToArray();
        Ask(world, "pause", "a");
        world.RunUntil(w => w.Status.Phase is JobPhase.Paused, limit: 60);
        var step = world.Status.Step;
        Assert.Equal(step, world.Commits[^1].Step);
        world.Run(3600);
        Assert.Equal((JobPhase.Paused, step, 1L), (world.Status.Phase, world.Status.Step, world.Status.Epoch));
        Assert.Equal(pods, world.Pods.Select(p => p.Uid));
        Assert.Contains("asked for by annotation: a", world.Status.Conditions.Single(c => c.Type == ConditionTypes.Paused).Message, StringComparison.Ordinal);

        world.RestartOperator(loseStatus: true);
        Ask(world, "resume", "b");
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
        Assert.Equal(step, world.Plan!.Resume!.Step);
        Assert.Equal(pods, world.Pods.Select(p => p.Uid));
    }

    [Fact]
    public void A_pause_of_a_given_length_ends_by_itself()
    {
        var world = Running();
        var since = world.Now;
        Ask(world, "pause", "a", "30m");
        world.RunUntil(w => w.Status.Phase is JobPhase.Paused, limit: 60);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 2400);
        Assert.InRange(world.Plan!.CreatedAt - since, TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(31));
    }

    [Fact]
    public void An_edit_ends_a_pause_and_a_length_that_is_none_is_refused()
    {
        var world = Running();
        Ask(world, "pause", "a", "soon");
        world.Run(30);
        Assert.Equal("refused: \"soon\" is no duration such as 30m", Assert.Single(world.Status.HandledRequests).Answer);
        Assert.Equal(JobPhase.Running, world.Status.Phase);

        Ask(world, "pause", "b");
        world.RunUntil(w => w.Status.Phase is JobPhase.Paused, limit: 60);
        world.Job = world.Job.Edited(s => s with { FailurePolicy = s.FailurePolicy with { HangFactor = 20 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 60);
    }

    private static void Ask(SimulatedWorld world, string request, string id, string argument = "") => world.Job = world.Job with { Metadata = world.Job.Metadata with { Requests = [new(request, id, argument)] } };

    private static SimulatedWorld Running()
    {
        var world = new SimulatedWorld(Make.Job(totalSteps: 20000), nodes: 2);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: 12 });
        return world;
    }
}
