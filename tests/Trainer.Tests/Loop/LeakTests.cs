using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Loop;

/// <summary>Counts tensors of the whole process, so nothing else may run beside it.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class AloneCollection;

[Collection("alone")]
public sealed class LeakTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public LeakTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, 1000), InlineData(2, 200)]
    public void A_thousand_steps_take_no_more_memory_than_the_first_hundred(int worldSize, int steps)
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with
        {
            Model = config.Model with { Layers = 1, HiddenSize = 16, Heads = 2, FfnSize = 32, EmbeddingSize = 16 },
            SequenceLength = 8,
            BatchSequences = 2,
            HyperParameters = config.HyperParameters with { TotalSteps = steps },
        };
        var seen = new List<(long Tensors, long Native, long Resident)>();
        var channel = new MemoryChannel { OnStep = record => { if (record.Attempt == 100 || record.Attempt == steps) seen.Add(Memory()); } };
        ThreadRanks.Train(config, worldSize, channel);
        Assert.InRange(seen[1].Tensors - seen[0].Tensors, -8, 8);   // with several ranks, the others may be between two of theirs
        Assert.InRange(seen[1].Native - seen[0].Native, -16_384, worldSize == 1 ? 0 : 16_384);
        Assert.InRange(seen[1].Resident - seen[0].Resident, long.MinValue, 24 << 20);

        static (long, long, long) Memory()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return (Tensor.TotalCount, cpu.memory_allocated(), Environment.WorkingSet);
        }
    }

    [Fact]
    public void Initial_weights_are_made_shard_by_shard()
    {
        // opt-125m in fp32 is 501 MB; a rank of 64 holds a 64th of it, four times over, and needs nothing more to make it.
        var units = OptParameters.Units(ModelPreset.Find("opt-125m")!.Dimensions);
        cpu.empty_cache();
        cpu.reset_peak_memory_stats();
        var before = cpu.memory_allocated();
        using var storage = new ShardStorage(units, new(17, 64, 1), Precision.Fp32, moments: true, CPU);
        storage.Initialise(seed: 1);
        Assert.InRange(cpu.max_memory_allocated() - before, 16 * storage.Total, 16 * storage.Total + 100_000);
        Assert.InRange(storage.Total, 125_239_296 / 64, 125_239_296 / 64 + 64);
    }

    [Fact]
    public void Training_leaves_no_tensors_behind()
    {
        var config = TinyRun.Config(_folder.Path);
        ThreadRanks.Train(config, 1);
        long tensors = 0, bytes = 0;
        var channel = new MemoryChannel
        {
            OnStep = record =>
            {
                if (record.Attempt == 3) (tensors, bytes) = (Tensor.TotalCount, cpu.memory_allocated());
                if (record.Attempt == 20) (tensors, bytes) = (Tensor.TotalCount - tensors, cpu.memory_allocated() - bytes);
            },
        };
        ThreadRanks.Train(config, 1, channel);
        Assert.Equal((0L, 0L), (tensors, bytes));
    }
}
