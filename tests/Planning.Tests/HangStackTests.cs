using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Stacks;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>The stacks of all ranks, collected before a run that stands still is ended.</summary>
public sealed class HangStackTests
{
    [Fact]
    public void A_stopped_worker_is_named_by_the_stacks_though_it_finished_as_many_attempts_as_all_others()
    {
        var world = Started();
        var (bad, agent) = (world.Plan!.Members[1], world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid));
        var step = world.Status.Step;
        (agent.Stopped, agent.Frozen) = (true, true);
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Equal((Reasons.Hang, bad.Node), (world.Plan.Cause.Reason, world.Plan.Cause.Node));
        Assert.Contains($"rank 1 on {bad.Node}: stopped (T) in backward (block 3) of attempt {step + 1}", world.Plan.Cause.Message, StringComparison.Ordinal);
        var entry = Assert.Single(world.Status.Logbook, e => e.What.StartsWith("collected", StringComparison.Ordinal));
        Assert.Equal("collected the stacks of 3 of 3 ranks", entry.What);
        Assert.StartsWith("ranks 0,2 (", entry.Why, StringComparison.Ordinal);
        Assert.EndsWith($"): waiting in reduce-scatter {20 * step + 7} of backward (block 3) of attempt {step + 1}; rank 1 ({bad.Node}): stopped (T) in backward (block 3) of attempt {step + 1}", entry.Why, StringComparison.Ordinal);
        var done = world.Done.ToList();
        Assert.True(done.FindIndex(a => a is CollectStacks) < done.FindIndex(a => a is FenceStore { Epoch: 2 }), "stacks first, the end of the workers afterwards");
        Assert.Single(done.OfType<CollectStacks>());
    }

    [Fact]
    public void Where_all_wait_in_one_collective_nobody_is_named()
    {
        var world = Started();
        foreach (var agent in world.Agents) agent.Stopped = true;
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Null(world.Plan!.Cause.Node);
        Assert.StartsWith("ranks 0-2 (", Assert.Single(world.Status.Logbook, e => e.What.StartsWith("collected", StringComparison.Ordinal)).Why, StringComparison.Ordinal);
    }

    [Fact]
    public void An_operator_that_dies_with_the_stacks_in_its_hands_asks_again_and_relaunches_once()
    {
        var world = Started();
        var agent = world.Agents.First(a => a.PodUid == world.Plan!.Members[1].PodUid);
        (agent.Stopped, agent.Frozen) = (true, true);
        for (var i = 0; i < 2000 && !world.Done.Any(a => a is CollectStacks); i++) world.Tick(dieAfter: 1);
        Assert.DoesNotContain(world.Status.Logbook, e => e.What.StartsWith("collected", StringComparison.Ordinal));
        world.RunUntil(w => w.Status is { Epoch: 2, Phase: JobPhase.Running });

        Assert.Single(world.Status.Logbook, e => e.What.StartsWith("collected", StringComparison.Ordinal));
        world.Run(60);
        Assert.Equal(2, world.Status.Epoch);
    }

    [Fact]
    public void An_agent_that_never_tells_delays_the_relaunch_by_no_more_than_twenty_seconds()
    {
        var world = Started();
        world.LosesStacks = true;   // whatever was asked, no answer is ever remembered
        foreach (var agent in world.Agents) agent.Stopped = true;
        world.RunUntil(w => w.Done.Any(a => a is CollectStacks));
        var asked = world.Now;
        world.RunUntil(w => w.Done.Any(a => a is FenceStore { Epoch: 2 }));

        Assert.InRange((world.Now - asked).TotalSeconds, 0, 25);
    }

    [Theory]
    [InlineData("0 T 7.140; 1 S 7.141 w; 2 S 7.141 w", 0)]          // stopped
    [InlineData("0 S 7.141 w; 1 S 7.138; 2 S 7.141 w", 1)]          // computes while the others wait
    [InlineData("0 S 7.141 w; 1 D 7.138; 2 S 7.141 w", 1)]          // blocked in the kernel: behind as well
    [InlineData("0 S 8.150 w; 1 S 8.150 w; 2 S 7.149 w", 2)]        // an attempt behind, and two others agree
    [InlineData("0 S 7.141 w; 1 S 7.138 w", null)]                  // one against one, and both wait
    [InlineData("0 S 7.141 w; 1 S 7.138", 1)]                       // one against one, and one computes
    [InlineData("0 S 7.141 w; 1 S 7.141 w; 2 S 7.141 w", null)]     // all in one place: the network
    [InlineData("0 S 7.138; 1 S 7.138; 2 S 7.141 w", null)]         // two machines behind
    [InlineData("0 T 7.140; 1 T 7.140; 2 S 7.141 w", null)]         // two machines stopped
    [InlineData("0 S 7.138", null)]                                 // a machine alone
    [InlineData("0 S -; 1 S 7.141 w; 2 S 7.138", 2)]                // one without a recorder says nothing
    public void Who_holds_the_others_up(string ranks, int? culprit) => Assert.Equal(culprit, StackReading.Culprit(Parse(ranks))?.Rank);

    [Fact]
    public void A_summary_names_groups_of_ranks_by_where_they_stand_and_who_did_not_answer()
    {
        var ranks = Parse("0 S 88.141 w; 1 S 88.141 w; 2 S 88.141 w; 3 S 88.141 w; 4 T 88.140; 5 S 88.141 w; 6 D 88.139; 7 S -");

        Assert.Equal("ranks 0-3,5: waiting in all-reduce 141 of backward of attempt 88; rank 4 (node-4): stopped (T) in backward of attempt 88; "
            + "rank 6 (node-6): in backward of attempt 88, blocked in the kernel (D); rank 7 (node-7): in Restoring; no answer from opt-8 (node-8)",
            StackReading.Summary(ranks, ["opt-8 (node-8)"]));
        Assert.Equal("no agent could tell where its workers stand", StackReading.Summary([], []));
        var many = Enumerable.Range(0, 40).Select(i => $"{i} S {i}.7").ToArray();
        Assert.EndsWith("34 ranks in 34 other places; no answer from a, b, c and 2 more", StackReading.Summary(Parse(string.Join("; ", many)), ["a", "b", "c", "d", "e"]), StringComparison.Ordinal);
    }

    private static SimulatedWorld Started()
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3, totalSteps: 20000), nodes: 4);
        world.RunUntil(w => w.Status is { Phase: JobPhase.Running, Step: >= 12 });
        return world;
    }

    /// <summary>"RANK PROCESS ATTEMPT.SUBMITTED [w]", where w waits for the newest it submitted; one rank a machine.</summary>
    private static List<RankStack> Parse(string ranks) => [.. ranks.Split("; ").Select(text =>
    {
        var words = text.Split(' ');
        var rank = int.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture);
        long[] at = words[2] is "-" ? [] : [.. words[2].Split('.').Select(n => long.Parse(n, System.Globalization.CultureInfo.InvariantCulture))];
        var waits = words.Length > 3;
        var activity = at.Length == 0 ? null : new WorkerActivity { Attempt = at[0], Phase = "backward", Submitted = at[1], Finished = at[1] - 1, WaitsFor = waits ? at[1] : null, Collective = waits ? "all-reduce" : null };
        var planned = new PlanMember { Pod = $"opt-{rank}", PodUid = $"pod-{rank}", PodIp = "10.0.0.1", AgentInstance = "a", Node = $"node-{rank}" };
        return new RankStack(rank, new Member(rank, planned, null, null, null), new() { Rank = rank, State = activity is null ? WorkerState.Restoring : WorkerState.Training, Process = words[1], Activity = activity });
    })];
}
