using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Tests.Data;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Loop;

public sealed class TrainingLoopTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TrainingLoopTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, 0), InlineData(3, 2)]
    public void An_overflow_on_one_rank_is_skipped_by_all_and_the_next_attempt_reads_new_data(int worldSize, int faulty)
    {
        var config = TinyRun.Config(_folder.Path) with { Precision = Precision.Fp16 };
        var ranks = ThreadRanks.Train(config, worldSize, afterBackward: (rank, attempt, gradient) =>
        {
            if (rank == faulty && attempt == 5) gradient.AsSpan<float>()[3] = float.PositiveInfinity;
        });
        var steps = ranks[0].Steps;
        Assert.Equal([5L], steps.Where(s => s.Skipped).Select(s => s.Attempt));
        var (overflow, next) = (steps[4], steps[5]);
        Assert.Equal((5L, 4L, 35L, 4.0, null), (overflow.Attempt, overflow.Step, overflow.Samples, overflow.LossScale, overflow.GradientNorm));
        Assert.Equal((6L, 5L, 42L, 2.0), (next.Attempt, next.Step, next.Samples, next.LossScale));
        Assert.Equal(overflow.LearningRate, next.LearningRate);
        Assert.Equal((21, 20L), (steps.Count, steps[^1].Step));
        Assert.All(ranks, r => Assert.All(r.Master, v => Assert.True(float.IsFinite(v))));
    }

    [Fact]
    public void A_loss_scale_that_is_a_power_of_two_changes_no_bit_of_the_update()
    {
        // fp32 wire would hide nothing; here 16-bit rounding happens at another binary exponent, which changes nothing without underflow.
        var config = TinyRun.Config(_folder.Path) with { Precision = Precision.Fp16, BatchSequences = 8 };
        float[] Weights(double scale) => ThreadRanks.Train(config with { HyperParameters = config.HyperParameters with { LossScaleInitial = scale, TotalSteps = 3 } }, 1)[0].Master;
        Assert.Equal(1, Correlation(Weights(4), Weights(16)), 1e-6);
    }

    [Fact]
    public void New_live_values_are_in_force_on_every_rank_from_the_next_attempt_and_every_record_says_so()
    {
        var config = TinyRun.Config(_folder.Path);
        var changed = config.HyperParameters with { PeakLearningRate = 2e-3, TotalSteps = 12 };
        MemoryChannel channel = null!;
        channel = new()
        {
            OnStep = record =>
            {
                if (record.Attempt == 6) channel.Requests.Enqueue(new() { Epoch = 3, Revision = 4, HyperParameters = changed });
            },
        };
        var steps = ThreadRanks.Train(config, 3, channel)[0].Steps;
        Assert.Equal(12, steps.Count);
        Assert.All(steps.Take(6), s => Assert.Equal((0, config.HyperParameters), (s.Revision, s.HyperParameters)));
        Assert.All(steps.Skip(6), s => Assert.Equal((4, changed), (s.Revision, s.HyperParameters)));
        Assert.Equal(changed.LearningRateAt(6), steps[6].LearningRate);
    }

    [Fact]
    public void A_command_waits_for_no_step_behind_values_that_were_sent_again_and_again_meanwhile()
    {
        var config = TinyRun.Config(_folder.Path);
        var changed = config.HyperParameters with { PeakLearningRate = 2e-3 };
        MemoryChannel channel = null!;
        channel = new()
        {
            OnStep = record =>
            {
                if (record.Attempt != 6) return;
                for (var i = 0; i < 10; i++) channel.Requests.Enqueue(new() { Epoch = 3, Revision = 4, HyperParameters = changed });
                channel.Requests.Enqueue(new() { Epoch = 3, Revision = 4, HyperParameters = changed, Command = ControlCommand.Stop });
            },
        };
        Assert.InRange(ThreadRanks.Train(config, 1, channel)[0].Steps.Count, 6, 7);
    }

    [Fact]
    public async Task A_new_save_interval_retention_and_verdict_rule_hold_from_the_next_attempt_on_every_rank()
    {
        var config = TinyRun.Config(_folder.Path) with { Checkpoint = new() { Store = new(), Every = new() { Steps = 100 } } };
        var changed = config.Checkpoint with { Every = new() { Steps = 2 }, Keep = new() { Last = 2, EverySteps = 0 }, HealthyWhen = new() { AfterSteps = 3 } };
        MemoryChannel channel = null!;
        channel = new()
        {
            OnStep = record =>
            {
                if (record.Attempt == 6) channel.Requests.Enqueue(new() { Epoch = 3, Revision = 1, HyperParameters = record.HyperParameters, Checkpoint = changed with { Store = new() { Directory = new() { Path = "/elsewhere" } } } });
                // Steps take a millisecond and a save may take many: the turns of those in between would all fall together.
                if (record.Attempt is 12 or 16) UntilCommitted(record.Attempt / 4 - 2);
            },
        };
        var steps = ThreadRanks.Train(config, 2, channel, store: _folder["store"])[0].Steps;
        Assert.All(steps.Take(6), s => Assert.Equal((0, CheckpointSettings.Of(config.Checkpoint)), (s.Revision, s.Checkpointing)));
        Assert.All(steps.Skip(6), s => Assert.Equal((1, CheckpointSettings.Of(changed)), (s.Revision, s.Checkpointing)));

        using var log = new Opt.Trainer.Checkpoints.CommitLog(ThreadRanks.OpenStore(_folder["store"]), "test", "test", TimeProvider.System);
        var state = await log.ReadAsync(TestContext.Current.CancellationToken);
        Assert.True(state.Checkpoints.Values.Last().Entry > 3, "more than the save at the end was committed");
        Assert.Contains(state.Checkpoints.Values, c => c.Verdict == HealthVerdict.Healthy);
        Assert.InRange(state.Checkpoints.Count, 2, 4);   // the last two, and the last two healthy ones
    }

    [Fact]
    public async Task A_checkpoint_that_is_asked_for_is_saved_once_however_often_the_request_is_repeated()
    {
        var config = TinyRun.Config(_folder.Path) with { Checkpoint = new() { Store = new(), Every = new() { Steps = 1000 } } };
        MemoryChannel channel = null!;
        channel = new()
        {
            OnStep = record =>
            {
                if (record.Attempt is 5 or 6 or 9) channel.Requests.Enqueue(new() { Epoch = 3, Revision = 1, Command = ControlCommand.Checkpoint });
                if (record.Attempt == 13) UntilCommitted(1);   // or the second would wait for the first, and come later
                if (record.Attempt == 14) channel.Requests.Enqueue(new() { Epoch = 3, Revision = 2, Command = ControlCommand.Checkpoint });
            },
        };
        ThreadRanks.Train(config, 1, channel, store: _folder["store"]);
        using var log = new Opt.Trainer.Checkpoints.CommitLog(ThreadRanks.OpenStore(_folder["store"]), "test", "test", TimeProvider.System);
        Assert.Equal([5L, 14, 20], (await log.ReadAsync(TestContext.Current.CancellationToken)).Checkpoints.Values.Select(c => c.Commit.Step));
    }

    [Fact]
    public void A_stop_request_of_one_rank_ends_all_after_the_same_attempt()
    {
        var attempts = 0;
        var ranks = ThreadRanks.Train(TinyRun.Config(_folder.Path), 3, stop: rank => rank == 1 && ++attempts >= 4);
        Assert.All(ranks, r => Assert.Equal(WorkerExit.Stopped, r.Exit));
        Assert.Equal(4, ranks[0].Steps.Count);
    }

    [Fact]
    public void Ranks_that_hold_other_values_end_with_control_diverged()
    {
        var config = TinyRun.Config(_folder.Path);
        var failure = Assert.Throws<TrainerException>(() => ThreadRanks.Train(config, 2, configOf: rank => rank == 0 ? config : config with { HyperParameters = config.HyperParameters with { GradientClip = 0.5 } }));
        Assert.Equal(WorkerExit.ControlDiverged, failure.Exit);
        Assert.Contains("the live values in force", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Endless_overflow_ends_the_run_as_numerical()
    {
        var config = TinyRun.Config(_folder.Path) with { Precision = Precision.Fp16, BatchSequences = 1 };
        var failure = Assert.Throws<TrainerException>(() => ThreadRanks.Train(config, 1, afterBackward: (_, _, gradient) => gradient.AsSpan<float>()[0] = float.NaN));
        Assert.Equal(WorkerExit.Numerical, failure.Exit);
    }

    private void UntilCommitted(long count)
    {
        using var log = new Opt.Trainer.Checkpoints.CommitLog(ThreadRanks.OpenStore(_folder["store"]), "test", "test", TimeProvider.System);
        Assert.True(SpinWait.SpinUntil(() => log.ReadAsync(default).GetAwaiter().GetResult().Checkpoints.Count >= count, TimeSpan.FromMinutes(1)), $"{count} saves were not committed");
    }

    private static double Correlation(float[] a, float[] b)
    {
        double ab = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++) (ab, aa, bb) = (ab + (double)a[i] * b[i], aa + (double)a[i] * a[i], bb + (double)b[i] * b[i]);
        return ab / Math.Sqrt(aa * bb);
    }
}
