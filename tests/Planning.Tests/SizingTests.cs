using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Running with fewer machines than asked for, and growing back.</summary>
public sealed class SizingTests
{
    [Fact]
    public void A_job_goes_on_with_the_machines_that_are_left_and_grows_back_when_one_returns()
    {
        var world = Running(nodes: 3, minNodes: 2);
        var dead = Kill(world, member: 1);
        var since = world.Now;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 2400);
        Assert.Equal(2, world.Plan!.Members.Count);
        Assert.InRange(world.Plan.CreatedAt - since, TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(3));   // until the node is known to be gone, and no pod is on its way
        Assert.Equal(("False", "Short"), Placed(world));

        world.Run(20);
        (dead.Alive, dead.Quarantine) = (true, null);   // repaired, and given back
        var before = world.Status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds;
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running }, limit: 300);
        Assert.Equal((3, Reasons.NodesReturned), (world.Plan.Members.Count, world.Plan.Cause.Reason));
        Assert.Equal(before, world.Status.Goodput.Single(a => a.Account == Accounts.Recompute).Seconds);   // saved first
        Assert.Equal(("True", "Placed"), Placed(world));
        Assert.DoesNotContain(world.Done.OfType<ScaleStatefulSet>(), s => s.Replicas == 0);
    }

    [Fact]
    public void A_pod_that_starts_on_a_new_machine_is_waited_for()
    {
        var job = Make.Job(nodes: 3, totalSteps: 20000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { Topology = job.Spec.Topology with { MinNodes = 2 } } }, nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        world.PodStart = TimeSpan.FromMinutes(4);
        Kill(world, member: 1);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 2400);
        Assert.Equal(3, world.Plan!.Members.Count);
    }

    [Fact]
    public void Fewer_machines_than_the_least_release_all_pods_as_ever()
    {
        var world = Running(nodes: 3, minNodes: 3);
        Kill(world, member: 1);
        world.RunUntil(w => w.Set is { Replicas: 0 }, limit: 2400);
        Assert.Equal(1, world.Status.Epoch);
    }

    [Fact]
    public void A_failure_of_a_short_run_is_relaunched_at_once_on_what_it_has()
    {
        var world = Short();
        var since = world.Now;
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Internal, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 3, Phase: JobPhase.Running }, limit: 60);
        Assert.Equal(2, world.Plan!.Members.Count);
        Assert.True(world.Plan.CreatedAt - since < TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void Live_edits_reach_a_short_run()
    {
        var world = Short();
        world.Job = world.Job.Edited(s => s with { Training = s.Training with { GradientClip = 0.3 } });
        world.RunUntil(w => w.Status is { Epoch: 2, Revision: 1 }, limit: 30);
        Assert.Equal(0.3, world.Plan!.Training.HyperParameters.GradientClip);
    }

    [Fact]
    public void A_machine_that_comes_and_goes_does_not_interrupt_a_short_run()
    {
        var world = Short();
        var node = world.Nodes.Single(n => !n.Alive);
        for (var i = 0; i < 5; i++)
        {
            (node.Alive, node.Quarantine) = (true, null);
            world.Run(20);
            (node.Alive, node.DeadSince) = (false, world.Now);
            world.Run(120);
        }

        Assert.Equal((2, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void A_cluster_that_never_had_enough_machines_starts_short()
    {
        var job = Make.Job(nodes: 4, totalSteps: 200);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { Topology = job.Spec.Topology with { MinNodes = 2 } } }, nodes: 3);
        world.RunUntil(w => w.Status.Phase is JobPhase.Succeeded, limit: 2600);
        Assert.Equal(3, world.Plan!.Members.Count);
    }

    private static SimulatedWorld Short()
    {
        var world = Running(nodes: 3, minNodes: 2);
        Kill(world, member: 1);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 2400);
        return world;
    }

    private static SimulatedWorld Running(int nodes, int minNodes)
    {
        var job = Make.Job(nodes: nodes, totalSteps: 20000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { Topology = job.Spec.Topology with { MinNodes = minNodes } } }, nodes: nodes);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }

    private static SimulatedNode Kill(SimulatedWorld world, int member)
    {
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[member].Node);
        (node.Alive, node.DeadSince) = (false, world.Now);
        return node;
    }

    private static (string, string) Placed(SimulatedWorld world) => world.Status.Conditions.Where(c => c.Type == ConditionTypes.MembersPlaced).Select(c => (c.Status, c.Reason)).Single();
}
