using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

public sealed class WorldSizeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public WorldSizeTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
        TinyRun.WriteTokens(_folder, "held-out", count: 500, seed: 4);
    }

    public void Dispose() => _folder.Dispose();

    // 7 sequences do not divide 2, 3 or 4 ranks, nor micro-batches of 2: some ranks run padding. Dropout is on.
    [Theory]
    [InlineData(2, 1), InlineData(3, 1), InlineData(4, 1), InlineData(2, 2), InlineData(4, 2), InlineData(6, 2)]
    public void Losses_and_gradient_norms_do_not_depend_on_the_layout(int worldSize, int tensorParallel)
    {
        var config = TinyRun.Config(_folder.Path);
        var alone = ThreadRanks.Train(config, 1)[0].Steps;
        var spread = ThreadRanks.Train(config with { TensorParallel = tensorParallel }, worldSize)[0].Steps;
        Assert.Equal(20, spread.Count);
        Assert.True(alone[^1].Loss < 0.9 * alone[0].Loss, $"the model learns: {alone[0].Loss} to {alone[^1].Loss}");
        Assert.All(alone.Zip(spread), pair =>
        {
            Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5);
            Assert.Equal(1, pair.Second.GradientNorm!.Value / pair.First.GradientNorm!.Value, 1e-4);
            Assert.Equal(1, pair.Second.ActivationNorm!.Value / pair.First.ActivationNorm!.Value, 1e-5);
        });
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

    [Fact]
    public void Two_runs_give_the_same_bits()
    {
        var config = TinyRun.Config(_folder.Path);
        var (first, second) = (ThreadRanks.Train(config, 3), ThreadRanks.Train(config, 3));
        for (var rank = 0; rank < 3; rank++) Assert.Equal(first[rank].Master, second[rank].Master);
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
    [InlineData(1), InlineData(3)]
    public void Validation_covers_every_token_once_and_does_not_depend_on_the_layout(int worldSize)
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with { Data = config.Data with { Validation = [new() { Path = "held-out" }], ValidateEverySteps = 10 } };
        var steps = ThreadRanks.Train(config, worldSize)[0].Steps;
        Assert.Equal([10, 20], steps.Where(s => s.Validation.Count > 0).Select(s => (int)s.Step));
        Assert.Equal(ThreadRanks.Train(config, 1)[0].Steps[9].Validation[0].Loss, steps[9].Validation[0].Loss, 1e-4);
    }
}
