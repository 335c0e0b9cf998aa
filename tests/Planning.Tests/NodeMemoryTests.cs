using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>What jobs remember of bad nodes, on the nodes.</summary>
public sealed class NodeMemoryTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(24, 1)]
    [InlineData(48, 0.5)]
    [InlineData(72, 0.25)]
    [InlineData(24 * 31, 0)]
    public void An_offence_counts_for_a_day_and_then_fades(double hours, double weight) => Assert.Equal(weight, NodeMemory.Weight(TimeSpan.FromHours(hours)), 6);

    [Theory]
    [InlineData(0, 3)]
    [InlineData(1, 6)]
    [InlineData(2, 12)]
    [InlineData(7, 24)]
    public void A_node_put_aside_again_stays_twice_as_long(int before, int days)
    {
        var history = new NodeHistory { Offences = [.. Enumerable.Range(0, before).Select(i => Offence("a", $"c{i}", Make.Now, quarantined: true))] };
        Assert.Equal(TimeSpan.FromDays(days), NodeMemory.Term(TimeSpan.FromDays(3), history, Make.Now));
    }

    [Fact]
    public void A_node_that_hung_another_job_is_replaced_at_its_first_hang_here()
    {
        var world = Hung(n => n.History = new() { Offences = [Offence("another-job", "hang-7-12", Make.Now, quarantined: false)] }, out var node);
        Assert.NotNull(node.Quarantine);
        Assert.NotEqual(node.Name, world.Plan!.Members[1].Node);
    }

    [Fact]
    public void What_another_job_had_against_a_node_is_forgiven_when_a_person_gave_it_back()
    {
        Hung(n => n.History = new() { Since = Make.Now, Offences = [Offence("another-job", "hang-7-12", Make.Now - TimeSpan.FromHours(1), quarantined: false)] }, out var node);
        Assert.Null(node.Quarantine);
    }

    [Fact]
    public void A_relaunch_in_place_is_written_on_the_node_it_was_blamed_on()
    {
        var world = Hung(_ => { }, out var node);
        var noted = Assert.Single(node.History.Offences);
        Assert.Equal((world.Job.Metadata.Uid, Reasons.Hang, false), (noted.JobUid, noted.Reason, noted.Quarantined));
        world.RestartOperator();
        world.Run(5);
        Assert.Single(node.History.Offences);
        Assert.Single(world.Done.OfType<NoteOffences>());
    }

    [Fact]
    public void A_quarantine_ends_when_its_time_is_over_and_the_node_is_ready()
    {
        var node = new NodeState { Name = "n", Uid = "u", Ready = true, Quarantine = new() { Reason = "r", Until = Make.Now } };
        Assert.True(NodeMemory.IsOver(node, Make.Now));
        Assert.False(NodeMemory.IsOver(node, Make.Now.AddSeconds(-1)));
        Assert.False(NodeMemory.IsOver(node with { Ready = false }, Make.Now));
        Assert.False(NodeMemory.IsOver(node with { Quarantine = new() { Reason = "a person's" } }, Make.Now.AddYears(1)));
    }

    /// <summary>NVSentinel#1451: a fresh decision of a person is undone by an older one of the machinery.</summary>
    [Fact]
    public void A_node_that_a_person_gives_back_in_the_midst_of_the_recovery_is_not_put_aside_again_for_the_same_cause()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 2000), nodes: 3);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        var node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
        world.RunUntil(_ => node.Quarantine is not null, limit: 60);
        world.Run(60);   // there is no other machine
        node.Quarantine = null;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running }, limit: 120);
        Assert.Single(world.Done.OfType<QuarantineNode>());
        Assert.Contains(node.Name, world.Plan!.Members.Select(m => m.Node));
    }

    [Fact]
    public void The_logbook_says_when_a_node_is_back()
    {
        var world = Running();
        world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid).Fail(WorkerExit.Device, world.Now);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        var node = world.Nodes.Single(n => n.Quarantine is not null);
        Assert.Equal(node.Quarantine!.Since + TimeSpan.FromDays(3), node.Quarantine.Until!.Value, TimeSpan.FromSeconds(2));
        node.Quarantine = null;
        world.Run(3);
        Assert.Equal(1, world.Status.Logbook.Count(e => e.What == $"returned node {node.Name} to service"));
        Assert.Contains(Announcements.Between(null, world.Status), a => a.Reason == "NodeReturned");
    }

    private static SimulatedWorld Hung(Action<SimulatedNode> before, out SimulatedNode node)
    {
        var world = Running();
        node = world.Nodes.Single(n => n.Name == world.Plan!.Members[1].Node);
        before(node);
        var agent = world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid);
        agent.Stopped = true;
        agent.LastAttempt--;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });
        return world;
    }

    private static SimulatedWorld Running()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }

    private static Offence Offence(string job, string cause, DateTimeOffset at, bool quarantined) => new() { JobUid = job, CauseId = cause, At = at, Reason = Reasons.Hang, Quarantined = quarantined };
}
