using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Tests.Checkpoints;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

/// <summary>Two ranks of a real run whose checkpoint's objects are gone from the store: what is left near by gives the very bits of a run that never stopped.</summary>
public sealed class TierResumeTests : TwoNodes
{
    private const int Half = 6, Whole = 12;

    [Theory]
    [InlineData("their nodes"), InlineData("a partner"), InlineData("memory alone")]
    public void A_run_resumed_from_copies_is_the_uninterrupted_one_bit_for_bit(string from)
    {
        TinyRun.RequireTorch();
        using var data = new TemporaryFolder();
        TinyRun.WriteTokens(data);
        var config = TinyRun.Config(data.Path);
        config = config with { HyperParameters = config.HyperParameters with { TotalSteps = Whole }, Checkpoint = config.Checkpoint with { Every = new() { Steps = 100 } } };
        if (from == "memory alone") config = config with { Checkpoint = config.Checkpoint with { Memory = new() { Every = new() { Steps = 3 } } } };
        var store = data["store"];
        var straight = ThreadRanks.Train(config, 2, store: from == "memory alone" ? store : null, nearby: Nearby);
        if (from != "memory alone") ThreadRanks.Train(config with { HyperParameters = config.HyperParameters with { TotalSteps = Half } }, 2, store: store, nearby: Nearby);
        else CondemnWhatIsInTheStore(store);
        foreach (var file in Directory.GetFiles(store, "rank-*", SearchOption.AllDirectories)) File.Delete(file);
        if (from == "a partner") A.Wipe();

        var resumed = ThreadRanks.Train(config, 2, store: store, resume: true, nearby: Nearby);

        Assert.InRange(resumed[0].Steps.Count, from == "memory alone" ? 1 : Half, from == "memory alone" ? 9 : Half);
        Assert.Equal(straight[0].Steps.TakeLast(resumed[0].Steps.Count).Select(s => (s.Step, s.Loss, s.GradientNorm)), resumed[0].Steps.Select(s => (s.Step, s.Loss, s.GradientNorm)));
        for (var rank = 0; rank < 2; rank++)
        {
            Assert.Equal(straight[rank].Master, resumed[rank].Master);
            Assert.Equal(straight[rank].FirstMoment, resumed[rank].FirstMoment);
            Assert.Equal(straight[rank].SecondMoment, resumed[rank].SecondMoment);
        }
    }

    /// <summary>So that a resume takes the newest of those in memory.</summary>
    private static void CondemnWhatIsInTheStore(string folder)
    {
        using var log = new CommitLog(ThreadRanks.OpenStore(folder), "test", "test", TimeProvider.System);
        var state = log.ReadAsync(default).GetAwaiter().GetResult();
        Assert.Contains(state.Checkpoints.Values, c => c.Commit.InMemory);
        foreach (var known in state.Durable)
        {
            log.AppendAsync(s => CommitLog.Entry(LogEntryKind.Verdict, s.FencedEpoch) with { Verdict = new() { Checkpoint = known.Entry, Verdict = HealthVerdict.Condemned, Reason = "test" } }, default).GetAwaiter().GetResult();
        }
    }
}
