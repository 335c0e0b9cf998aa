using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Data;
using Opt.Trainer.Loop;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Loop;

public sealed class TrainingEngineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TrainingEngineTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1), InlineData(3), InlineData(7)]
    public void Gradients_do_not_depend_on_how_the_batch_is_cut_into_micro_batches(int microBatch)
    {
        var config = TinyRun.Config(_folder.Path);
        SameGradients(Gradients(config), Gradients(config with { MicroBatchSequences = microBatch }));
    }

    [Fact]
    public void Recomputing_blocks_changes_nothing()
    {
        var config = TinyRun.Config(_folder.Path);
        var kept = Gradients(config with { ActivationCheckpointing = ActivationCheckpointing.None });
        Assert.Equal(kept.Loss, Gradients(config).Loss);
        Assert.Equal(kept.Gradient, Gradients(config).Gradient);
    }

    private static void SameGradients((double Loss, float[] Gradient, UnitLayout[] Layouts) a, (double Loss, float[] Gradient, UnitLayout[] Layouts) b)
    {
        Assert.Equal(1, b.Loss / a.Loss, 1e-6);
        var offset = 0L;
        foreach (var layout in a.Layouts)
        {
            for (var i = 0; i < layout.Unit.Parameters.Count; i++)
            {
                var (from, count) = ((int)(offset + layout.OffsetOf(i)), (int)layout.LocalElements(i));
                var (x, y) = (a.Gradient.AsSpan(from, count).ToArray(), b.Gradient.AsSpan(from, count).ToArray());
                var norm = Math.Sqrt(x.Sum(v => (double)v * v));
                var difference = Math.Sqrt(x.Zip(y).Sum(p => ((double)p.First - p.Second) * (p.First - p.Second)));
                Assert.True(difference <= 1e-5 * norm + 1e-6, $"{layout.Unit.Parameters[i].Name}: norm {norm}, difference {difference}");
            }

            offset += layout.ShardElements;
        }
    }

    private static (double Loss, float[] Gradient, UnitLayout[] Layouts) Gradients(TrainingConfig config)
    {
        using var data = Dataset.Open(config.Data, config.SequenceLength, config.Seed, config.Model);
        using var world = World.Single(TimeProvider.System);
        using var engine = new TrainingEngine(config, world, CPU, TimeProvider.System);
        engine.Storage.Initialise(config.Seed);
        engine.ParametersChanged();
        var sums = engine.Run(data, BatchCursor.Read(0, config.BatchSequences, []), lossSeed: 1);
        return (sums.Loss, engine.Storage.Gradient.ToArray<float>(), [.. engine.Storage.Layouts]);
    }
}
