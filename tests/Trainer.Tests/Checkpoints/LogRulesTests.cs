using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

public sealed class LogRulesTests
{
    [Fact]
    public void The_last_two_healthy_checkpoints_cannot_be_retired()
    {
        var state = Committed(1, 2, 3, 4).Then(Healthy(2)).Then(Healthy(3)).Then(Healthy(4));
        Assert.Null(LogRules.Refusal(state, Retire(state, 2)));
        Assert.Contains("last 2 healthy", LogRules.Refusal(state, Retire(state, 3))!.Message, StringComparison.Ordinal);
        Assert.Contains("last 2 healthy", LogRules.Refusal(state, Retire(state, 4))!.Message, StringComparison.Ordinal);
        Assert.Null(LogRules.Refusal(state, Retire(state, 5)));   // pending
    }

    [Fact]
    public void A_condemned_checkpoint_no_longer_counts_as_healthy()
    {
        var state = Committed(1, 2, 3).Then(Healthy(2)).Then(Healthy(3)).Then(Healthy(4)).Then(Verdict(4, HealthVerdict.Condemned));
        Assert.Contains("last 2 healthy", LogRules.Refusal(state, Retire(state, 2))!.Message, StringComparison.Ordinal);
        Assert.Null(LogRules.Refusal(state, Retire(state, 4)));
    }

    [Fact]
    public void A_pinned_checkpoint_cannot_be_retired_until_it_is_unpinned()
    {
        var state = Committed(1, 2).Then(Pin(2, true));
        Assert.Contains("is pinned", LogRules.Refusal(state, Retire(state, 2))!.Message, StringComparison.Ordinal);
        Assert.Null(LogRules.Refusal(state.Then(Pin(2, false)), Retire(state, 2)));
    }

    [Fact]
    public void The_only_checkpoint_cannot_be_retired()
    {
        var state = Committed(1);
        Assert.Contains("only checkpoint", LogRules.Refusal(state, Retire(state, 2))!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_entry_about_a_checkpoint_that_is_not_there_is_refused() =>
        Assert.Contains("no checkpoint with commit entry 9", LogRules.Refusal(Committed(1), Healthy(9)(Committed(1)))!.Message, StringComparison.Ordinal);

    [Fact]
    public void A_commit_without_a_fence_of_its_epoch_is_refused() =>
        Assert.Contains("never fenced", LogRules.Refusal(Committed(1), Entry(LogEntryKind.Commit, 7) with { Commit = Commit(5) })!.Message, StringComparison.Ordinal);

    [Fact]
    public void An_entry_that_breaks_a_rule_changes_nothing_when_read()
    {
        var state = Committed(1, 2).Then(_ => Entry(LogEntryKind.Fence, 2) with { Fence = new() });
        var after = state.Then(_ => Entry(LogEntryKind.Commit, 1) with { Commit = Commit(3) });
        Assert.Equal(state with { Entry = after.Entry }, after);
    }

    [Fact]
    public void Ancestry_follows_the_runs_a_checkpoint_came_through_and_leaves_out_abandoned_branches()
    {
        // Epoch 1 saves 10, 20, 30; epoch 2 resumes from 20 and saves 25, 35; epoch 3 resumes from 25 and saves 40.
        var state = Committed(10, 20, 30)
            .Then(_ => Entry(LogEntryKind.Fence, 2) with { Fence = new() })
            .Then(_ => Entry(LogEntryKind.Commit, 2) with { Commit = Commit(25) with { Parent = 3 } })
            .Then(_ => Entry(LogEntryKind.Commit, 2) with { Commit = Commit(35) with { Parent = 3 } })
            .Then(_ => Entry(LogEntryKind.Fence, 3) with { Fence = new() })
            .Then(_ => Entry(LogEntryKind.Commit, 3) with { Commit = Commit(40) with { Parent = 6 } });
        Assert.Equal([40L, 25, 20, 10], state.Ancestry(state.Entry).Select(c => c.Commit.Step));
    }

    [Fact]
    public void Those_in_memory_stay_while_they_are_the_two_furthest_on_whenever_an_upload_is_done()
    {
        var state = Committed(10)
            .Then(_ => Entry(LogEntryKind.Commit, 1) with { Commit = Commit(15) with { InMemory = true, Copies = [CheckpointTier.Node] } })
            .Then(_ => Entry(LogEntryKind.Commit, 1) with { Commit = Commit(16) with { InMemory = true, Copies = [CheckpointTier.Node] } })
            .Then(_ => Entry(LogEntryKind.Commit, 1) with { Commit = Commit(17) with { InMemory = true, Copies = [CheckpointTier.Node] } })
            .Then(_ => Entry(LogEntryKind.Commit, 1) with { Commit = Commit(14) });
        Assert.Equal([15L], RetentionRule.Choose(state, new() { Last = 5 }).Select(c => c.Commit.Step));
        Assert.Equal([17L, 16, 15, 14, 10], state.NewestFirst.Select(c => c.Commit.Step));
        Assert.Equal([15L, 14, 10], state.Ancestry(state.Checkpoints.Values.Single(c => c.Commit.Step == 15).Entry).Select(c => c.Commit.Step));
    }

    [Theory]
    [InlineData(1, 0, "80 90 100")]          // healthy 80 and 90, newest 100
    [InlineData(3, 0, "80 90 100")]
    [InlineData(4, 0, "70 80 90 100")]
    [InlineData(1, 30, "30 60 80 90 100")]   // first at or after 30, 60 and 90
    public void Retention_keeps_the_last_the_milestones_and_two_healthy_ones(int last, int every, string kept)
    {
        var state = Committed([.. Enumerable.Range(1, 10).Select(i => i * 10L)]);
        foreach (var entry in Enumerable.Range(2, 9)) state = state.Then(Healthy(entry));   // all but step 100
        var retired = RetentionRule.Choose(state, new() { Last = last, EverySteps = every });
        Assert.Equal(kept, string.Join(' ', state.Checkpoints.Values.Except(retired).Select(c => c.Commit.Step)));
    }

    [Fact]
    public void Retention_never_chooses_what_the_log_would_refuse()
    {
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var state = Committed([.. Enumerable.Range(1, random.Next(1, 12)).Select(i => (long)i)]);
            for (var i = 0; i < 15; i++)
            {
                var entry = random.Next(2, (int)state.Checkpoints.Keys.Max() + 1);
                if (!state.Checkpoints.ContainsKey(entry)) continue;
                state = state.Then(random.Next(3) == 0 ? Pin(entry, random.Next(2) == 0) : Verdict(entry, (HealthVerdict)random.Next(3)));
            }

            foreach (var checkpoint in RetentionRule.Choose(state, new() { Last = random.Next(0, 4), EverySteps = random.Next(0, 5) }))
            {
                Assert.Null(LogRules.Refusal(state, Retire(state, checkpoint.Entry)));
                state = state.Then(s => Retire(s, checkpoint.Entry));
            }
        }
    }

    private static LogState Committed(params long[] steps) =>
        steps.Aggregate(LogState.Empty.Then(_ => Entry(LogEntryKind.Fence, 1) with { Fence = new() }), (state, step) => state.Then(_ => Entry(LogEntryKind.Commit, 1) with { Commit = Commit(step) }));

    private static Func<LogState, LogEntry> Healthy(long checkpoint) => Verdict(checkpoint, HealthVerdict.Healthy);

    private static Func<LogState, LogEntry> Verdict(long checkpoint, HealthVerdict verdict) =>
        s => Entry(LogEntryKind.Verdict, s.FencedEpoch) with { Verdict = new() { Checkpoint = checkpoint, Verdict = verdict, Reason = "" } };

    private static Func<LogState, LogEntry> Pin(long checkpoint, bool pinned) => s => Entry(LogEntryKind.Pin, s.FencedEpoch) with { Pin = new() { Checkpoint = checkpoint, Pinned = pinned } };

    private static LogEntry Retire(LogState state, long checkpoint) => Entry(LogEntryKind.Retire, state.FencedEpoch) with { Retire = new() { Checkpoint = checkpoint, Reason = "" } };

    private static CommitEntry Commit(long step) => new() { Step = step, Attempt = step, Samples = step, Tokens = step, Path = $"checkpoints/{Guid.NewGuid():n}", ManifestDigest = "", Bytes = 1, Parent = 0 };

    private static LogEntry Entry(LogEntryKind kind, long epoch) => CommitLog.Entry(kind, epoch) with { JobUid = "job" };
}

internal static class LogStateExtensions
{
    public static LogState Then(this LogState state, Func<LogState, LogEntry> entry) => state.Apply(entry(state) with { Number = state.Entry + 1 });
}
