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
