using System.Collections.Concurrent;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Parallel;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Loop;

public sealed class WorldSizeTests : IDisposable
{
    private static readonly long[] s_looked = [1, 5, 6, 15, 31];
    private static readonly Lazy<(IReadOnlyList<StepRecord>, Dictionary<long, Dictionary<string, float[]>>)> s_alone = new(() => Thirty(1, 1));
    private readonly TemporaryFolder _folder = new();

    public WorldSizeTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
        TinyRun.WriteTokens(_folder, "held-out", count: 500, seed: 4);
    }

    public void Dispose() => _folder.Dispose();

    // 7 sequences do not divide 2, 3 or 4 ranks, nor micro-batches of 2: some ranks run padding. Dropout is on. Attempt 5 overflows on one rank.
    [Theory]
    [InlineData(2, 1), InlineData(3, 1), InlineData(4, 1), InlineData(1, 2), InlineData(2, 2), InlineData(3, 2), InlineData(4, 2)]
    public void Losses_and_gradients_do_not_depend_on_the_layout(int dataParallel, int tensorParallel)
    {
        var (alone, aloneGradients) = s_alone.Value;
        var (spread, gradients) = Thirty(dataParallel, tensorParallel);
        Assert.Equal(31, spread.Count);
        Assert.True(alone[^1].Loss < 0.9 * alone[0].Loss, $"the model learns: {alone[0].Loss} to {alone[^1].Loss}");
        Assert.All(alone.Zip(spread), pair =>
        {
            Assert.Equal((pair.First.Skipped, pair.First.Step, pair.First.Samples), (pair.Second.Skipped, pair.Second.Step, pair.Second.Samples));
            Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5);
            Assert.Equal(1, pair.Second.ActivationNorm!.Value / pair.First.ActivationNorm!.Value, 1e-5);
            if (!pair.First.Skipped) Assert.Equal(1, pair.Second.GradientNorm!.Value / pair.First.GradientNorm!.Value, 1e-5);
        });
        Assert.Equal((5L, true, 35L), (spread[4].Attempt, spread[4].Skipped, spread[4].Samples));
        Assert.Equal((6L, false, 42L), (spread[5].Attempt, spread[5].Skipped, spread[5].Samples));   // new data, not the same again
        foreach (var attempt in s_looked) Assert.InRange(WholeModel.Difference(aloneGradients[attempt], gradients[attempt]), 0, 1e-5);
    }

    [Theory]
    [InlineData(2, 1, 1), InlineData(4, 2, 1), InlineData(2, 1, 2)]
    public void Sharding_within_groups_and_replicating_across_them_changes_nothing(int dataParallel, int shards, int tensorParallel)
    {
        var (alone, _) = s_alone.Value;
        var (spread, _) = Thirty(dataParallel, tensorParallel, shards);
        Assert.All(alone.Zip(spread), pair => Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5));
        Assert.All(alone.Zip(spread).Where(p => !p.First.Skipped), pair => Assert.Equal(1, pair.Second.GradientNorm!.Value / pair.First.GradientNorm!.Value, 1e-5));
    }

    [Theory]
    [InlineData(3, 1, 3, Precision.Fp32, ActivationCheckpointing.Full), InlineData(2, 2, 2, Precision.Fp32, ActivationCheckpointing.None)]
    [InlineData(4, 1, 2, Precision.Fp32, ActivationCheckpointing.Full), InlineData(4, 1, 4, Precision.Fp16, ActivationCheckpointing.Full)]
    public void Collectives_that_run_late_and_by_themselves_change_nothing(int dataParallel, int tensorParallel, int shards, Precision precision, ActivationCheckpointing checkpointing)
    {
        var config = TinyRun.Config(_folder.Path) with { TensorParallel = tensorParallel, DataParallelShard = shards, Precision = precision, ActivationCheckpointing = checkpointing };
        var world = dataParallel * tensorParallel;
        var (prompt, late) = (ThreadRanks.Train(config, world)[0].Steps, ThreadRanks.Train(config, world, options: ThreadRanks.Delayed)[0].Steps);
        Assert.Equal(20, late.Count);
        // In 16 bit the delayed group also sums as NCCL does, and gradients are divided before and after.
        Assert.All(prompt.Zip(late), pair => Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, precision == Precision.Fp32 ? 1e-6 : 2e-3));
    }

    [Theory]
    [InlineData(PlantedBug.GatherNotAwaited, "was not finite"), InlineData(PlantedBug.ReductionNotAwaited, "was not finite")]
    [InlineData(PlantedBug.InputUsedAgain, "the input of reduce-scatter was written before Wait"), InlineData(PlantedBug.InputLetGo, "a tensor of reduce-scatter was disposed before Wait")]
    [InlineData(PlantedBug.None, null)]
    public void A_schedule_that_uses_a_buffer_too_early_is_found_out(PlantedBug bug, string? complaint)
    {
        var options = ThreadRanks.Delayed with { Decorate = group => new PlantedFault(new DelayedGroup(group), bug) };
        var channel = new MemoryChannel();
        var error = Record.Exception(() => ThreadRanks.Train(TinyRun.Config(_folder.Path), 2, channel, stop: rank => rank == 0 && channel.Steps.LastOrDefault() is { Skipped: true }, options: options));
        var found = error?.ToString() ?? (channel.Steps[^1].Skipped ? "the gradient was not finite" : null);
        Assert.Contains(complaint ?? "", found ?? "", StringComparison.Ordinal);
        Assert.Equal(complaint is null, found is null);
    }

    [Theory]
    [InlineData(ActivationCheckpointing.None, true), InlineData(ActivationCheckpointing.None, false), InlineData(ActivationCheckpointing.Full, false)]
    public void Memory_options_change_no_result(ActivationCheckpointing checkpointing, bool reshard)
    {
        var config = TinyRun.Config(_folder.Path);
        var plain = ThreadRanks.Train(config, 2)[0].Steps;
        var other = ThreadRanks.Train(config with { ActivationCheckpointing = checkpointing, ReshardAfterForward = reshard }, 2)[0].Steps;
        Assert.Equal(plain.Select(s => s.Loss), other.Select(s => s.Loss));
    }

    [Theory]
    [InlineData(Precision.Fp16), InlineData(Precision.Bf16)]
    public void Sixteen_bit_storage_trains_alike_at_any_world_size(Precision precision)
    {
        var config = TinyRun.Config(_folder.Path) with { Precision = precision, BatchSequences = 8 };
        var alone = ThreadRanks.Train(config, 1)[0].Steps;
        var spread = ThreadRanks.Train(config, 4)[0].Steps;
        Assert.Equal(precision == Precision.Fp16 ? 4 : 1, spread[0].LossScale);
        Assert.DoesNotContain(spread, s => s.Skipped);
        Assert.All(alone.Zip(spread), pair => Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, precision == Precision.Fp16 ? 2e-3 : 2e-2));
        Assert.True(spread[^1].Loss < 0.9 * spread[0].Loss);
    }

    // As accelerators do: computed in 16 bit, gradients summed in 16 bit by a group that runs by itself, weights and their gradients added up in fp32.
    [Theory]
    [InlineData(1, 1, true, 32, ActivationCheckpointing.None), InlineData(2, 1, true, 32, ActivationCheckpointing.Full)]
    [InlineData(1, 2, true, 32, ActivationCheckpointing.Full), InlineData(2, 1, false, 16, ActivationCheckpointing.Full)]
    public void Computing_in_sixteen_bit_trains_alike(int dataParallel, int tensorParallel, bool preNorm, int embedding, ActivationCheckpointing checkpointing)
    {
        var config = TinyRun.Config(_folder.Path) with { TensorParallel = tensorParallel, ActivationCheckpointing = checkpointing };
        config = config with { Model = config.Model with { PreNorm = preNorm, EmbeddingSize = embedding } };
        var wide = ThreadRanks.Train(config with { TensorParallel = 1 }, 1)[0].Steps;
        var narrow = ThreadRanks.Train(config with { Precision = Precision.Bf16 }, dataParallel * tensorParallel, options: ThreadRanks.Delayed, computeType: bfloat16)[0].Steps;
        Assert.All(wide.Zip(narrow), pair => Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 2e-2));
        if (preNorm) Assert.True(narrow[^1].Loss < 0.9 * narrow[0].Loss);   // the other learns nothing in so few steps, in fp32 either
        Assert.All(wide.Zip(narrow).Take(3), pair => Assert.Equal(1, pair.Second.GradientNorm!.Value / pair.First.GradientNorm!.Value, 2e-2));
    }

    [Fact]
    public void Two_runs_give_the_same_bits()
    {
        var config = TinyRun.Config(_folder.Path);
        var (first, second) = (ThreadRanks.Train(config, 3), ThreadRanks.Train(config, 3));
        for (var rank = 0; rank < 3; rank++)
        {
            Assert.Equal(first[rank].Master, second[rank].Master);
            Assert.Equal(first[rank].SecondMoment, second[rank].SecondMoment);
        }

        Assert.Equal(first[0].Steps.Select(s => (s.Loss, s.GradientNorm, s.ActivationNorm)), second[0].Steps.Select(s => (s.Loss, s.GradientNorm, s.ActivationNorm)));
    }

    [Fact]
    public void The_post_norm_model_with_a_narrow_embedding_trains_and_shards_too()
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with { Model = config.Model with { PreNorm = false, EmbeddingSize = 16 } };
        var (alone, spread) = (ThreadRanks.Train(config, 1)[0].Steps, ThreadRanks.Train(config, 3)[0].Steps);
        Assert.All(alone.Zip(spread), pair => Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5));
    }

    [Fact]
    public void Replicated_parameters_stay_equal_bit_for_bit_under_tensor_parallelism()
    {
        var ranks = ThreadRanks.Train(TinyRun.Config(_folder.Path) with { TensorParallel = 2 }, 2);
        var offset = 0L;
        foreach (var unit in ranks[0].Layout.Slices.GroupBy(s => s.Unit))
        {
            foreach (var slice in unit.Where(s => s.TensorParallelDim is null))
            {
                var (from, count) = ((int)(offset + slice.UnitOffset), (int)slice.Length);
                Assert.Equal(ranks[0].Master.AsSpan(from, count).ToArray(), ranks[1].Master.AsSpan(from, count).ToArray());
            }

            offset += unit.Sum(s => s.Length);
        }
    }

    [Theory]
    [InlineData(2, null, "replicated parameters differ between tensor-parallel ranks at step 5"), InlineData(1, 1, "the copies of a shard differ at step 5")]
    public void Copies_that_differ_are_found_before_they_are_saved(int tensorParallel, int? shards, string complaint)
    {
        var config = TinyRun.Config(_folder.Path) with { TensorParallel = tensorParallel, DataParallelShard = shards, Checkpoint = new() { Store = new(), Every = new() { Steps = 5 } } };
        ThreadRanks.Train(config, 2, store: _folder["sound"]);
        var failure = Assert.Throws<TrainerException>(() => ThreadRanks.Train(config, 2, store: _folder["faulty"], afterBackward: (rank, attempt, gradient) =>
        {
            if (rank == 1 && attempt == 3) gradient.AsSpan<float>()[^1] *= 1.001f;   // the last of a block's final LayerNorm
        }));
        Assert.Equal(WorkerExit.ControlDiverged, failure.Exit);
        Assert.Contains(complaint, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rank_that_issues_another_collective_is_named_when_collectives_are_checked()
    {
        var config = TinyRun.Config(_folder.Path);
        var options = new WorldOptions(TimeSpan.FromSeconds(30)) { CheckCollectives = true };
        Assert.Equal(20, ThreadRanks.Train(config, 2, options: options)[0].Steps.Count);
        var failure = Assert.Throws<TrainerException>(() => ThreadRanks.Train(config, 2, options: options,
            configOf: rank => rank == 0 ? config : config with { MicroBatchSequences = 4 }));
        Assert.Equal(WorkerExit.ControlDiverged, failure.Exit);
        Assert.Matches("collective [0-9]+ of group (shard-0-0|world): rank 0 issues .*; rank 1 issues .*", failure.Message);
    }

    [Theory]
    [InlineData(1), InlineData(3)]
    public void Validation_covers_every_token_once_and_does_not_depend_on_the_layout(int worldSize)
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with { Data = config.Data with { Validation = [new() { Path = "held-out" }], ValidateEverySteps = 10 } };
        var steps = ThreadRanks.Train(config, worldSize)[0].Steps;
        Assert.Equal([10, 20], steps.Where(s => s.Validation.Count > 0).Select(s => (int)s.Step));
        Assert.Equal(ThreadRanks.Train(config, 1)[0].Steps[9].Validation[0].Loss, steps[9].Validation[0].Loss, 1e-4);
    }

    // The steps, and the whole gradient of some attempts.
    private static (IReadOnlyList<StepRecord> Steps, Dictionary<long, Dictionary<string, float[]>> Gradients) Thirty(int dataParallel, int tensorParallel, int? shards = null)
    {
        using var folder = new TemporaryFolder();
        TinyRun.WriteTokens(folder);
        var config = TinyRun.Config(folder.Path);
        config = config with { TensorParallel = tensorParallel, DataParallelShard = shards, HyperParameters = config.HyperParameters with { TotalSteps = 30 } };
        var world = dataParallel * tensorParallel;
        var seen = new ConcurrentDictionary<(long Attempt, int Rank), float[]>();
        var ranks = ThreadRanks.Train(config, world, afterBackward: (rank, attempt, gradient) =>
        {
            if (s_looked.Contains(attempt)) seen[(attempt, rank)] = gradient.ToArray<float>();
            if (attempt == 5 && rank == world - 1) gradient.AsSpan<float>()[3] = float.PositiveInfinity;
        });
        return (ranks[0].Steps, shards is not null ? [] : s_looked.ToDictionary(a => a, a => WholeModel.From(config.Model, [.. ranks.Select((r, i) => (r.Layout, seen[(a, i)]))])));
    }
}
