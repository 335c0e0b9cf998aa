using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Machines that do not train, and pods that do not end.</summary>
public sealed class SpareCareTests
{
    [Fact]
    public void A_spare_whose_machine_dies_is_replaced_while_the_others_train_on()
    {
        var world = Running(spares: 1);
        var dead = Spare(world).Node!;
        (dead.Alive, dead.DeadSince) = (false, world.Now);
        world.RunUntil(w => w.Nodes.Any(n => n.Quarantine is not null), limit: 600);
        world.RunUntil(w => w.Status.Nodes.SparesReady == 1, limit: 60);
        Assert.NotSame(dead, Spare(world).Node);

        Assert.Equal(Reasons.NodeLost, world.Done.OfType<QuarantineNode>().Single().Reason);
        Assert.True(world.Done.OfType<DeletePod>().Single().Now);
        Assert.Equal((1, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void A_spare_whose_device_breaks_is_replaced_before_it_is_needed()
    {
        var world = Running(spares: 1);
        var bad = Spare(world).Node!;
        Spare(world).Agent!.DeviceBroken = true;
        world.RunUntil(w => w.Nodes.Any(n => n.Quarantine is not null), limit: 60);
        world.RunUntil(w => w.Status.Nodes.SparesReady == 1, limit: 60);
        Assert.NotSame(bad, Spare(world).Node);

        Assert.Equal(Reasons.DeviceFailed, world.Done.OfType<QuarantineNode>().Single().Reason);
        Assert.Equal((1, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    [Fact]
    public void A_spare_that_is_away_for_a_moment_is_waited_for()
    {
        var world = Running(spares: 1);
        var spare = Spare(world);
        (spare.Node!.Alive, spare.Node.DeadSince) = (false, world.Now);
        world.Run(100);
        spare.Node.Alive = true;
        world.Run(600);
        Assert.Empty(world.Done.OfType<QuarantineNode>());
        Assert.Same(spare, Spare(world));
    }

    /// <summary>The budget and the breaker hold for spares too.</summary>
    [Theory]
    [InlineData(0, 24)]
    [InlineData(9, 0)]
    public void A_bad_spare_stays_where_no_node_may_be_put_aside(int room, int limit)
    {
        var world = Running(spares: 1, limit);
        world.QuarantineRoom = room;
        Spare(world).Agent!.DeviceBroken = true;
        world.Run(300);
        Assert.Empty(world.Done.OfType<QuarantineNode>());
        Assert.Equal((1, JobPhase.Running), (world.Status.Epoch, world.Status.Phase));
    }

    /// <summary>A driver that hangs: the node is Ready, its kubelet tries, and the process never ends.</summary>
    [Fact]
    public void A_pod_that_nobody_can_end_is_removed_after_its_grace_and_its_machine_put_aside_first()
    {
        var world = Running(spares: 0);
        var member = world.Plan!.Members[1];
        var pod = world.Pods.Single(p => p.Uid == member.PodUid);
        (pod.Unending, pod.Terminating) = (true, true);
        world.Unreachable.Add(pod.Uid);
        world.Run(120 + 290);
        Assert.Empty(world.Done.OfType<DeletePod>());
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 300);

        Assert.True(Assert.Single(world.Done.OfType<DeletePod>()).Now);
        Assert.Equal(member.Node, Assert.Single(world.Nodes, n => n.Quarantine is not null).Name);
        Assert.NotEqual(member.Node, world.Plan.Members[1].Node);
    }

    [Fact]
    public void While_a_kubelet_says_that_it_is_not_ready_its_pods_keep_their_grace()
    {
        var pod = Make.Pod("pod-1", 1) with { Terminating = true, GraceEnds = Make.Now };
        Assert.False(Overstay.IsForced(At(pod, speaks: true), pod));
        Assert.True(Overstay.IsForced(At(pod, speaks: false), pod));

        static Situation At(PodState pod, bool speaks) => new(Make.Job(), new() { PodDigest = "digest", Pods = [pod], Nodes = [new() { Name = "node-1", Uid = "uid-node-1", Ready = false, KubeletSpeaks = speaks }] }, Make.Now);
    }

    private static SimulatedPod Spare(SimulatedWorld world) => world.Pods.Single(p => world.Plan!.Members.All(m => m.PodUid != p.Uid));

    private static SimulatedWorld Running(int spares, int limit = 24)
    {
        var job = Make.Job(nodes: 3, spares, totalSteps: 20000);
        var world = new SimulatedWorld(job with { Spec = job.Spec with { FailurePolicy = job.Spec.FailurePolicy with { ReplaceNode = new() { Limit = limit, Window = TimeSpan.FromDays(1) } } } }, nodes: 5);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 } && w.Status.Nodes.SparesReady == spares);
        return world;
    }
}
