using Opt.Api;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Loop;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Loop;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Model;

public sealed class InitialWeightsTests
{
    private static readonly ModelDimensions Model = ModelPreset.Find("opt-8m")!.Dimensions;

    [Fact]
    public void The_first_loss_is_that_of_guessing_among_the_whole_vocabulary()
    {
        TinyRun.RequireTorch();
        using var world = World.Single(TimeProvider.System);
        using var engine = new TrainingEngine(TinyRun.Config("") with { Model = Model, SequenceLength = 64 }, world, CPU, TimeProvider.System);
        engine.Storage.Initialise(1);
        engine.ParametersChanged();
        var random = new Random(5);
        ushort[] row = [.. Enumerable.Range(0, 65).Select(_ => (ushort)random.Next(4, 50265))];
        using var batch = TokenBatch.From(row, 64, [0], [64], CPU);
        Assert.Equal(Math.Log(50272), engine.Schedule.Evaluate(batch).Loss / 64, 0.01);   // 10.8252 nats, 15.6175 bits
    }

    [Fact]
    public void Weights_start_as_the_megatron_rule_says()
    {
        TinyRun.RequireTorch();
        using var storage = new ShardStorage(OptParameters.Units(Model), new(0, 1, 1), Precision.Fp32, moments: false, CPU);
        storage.Initialise(1);
        var weights = WholeModel.From(Model, [(storage.Describe(), storage.Master.ToArray<float>())]);
        Assert.All(weights.Where(w => w.Key.EndsWith("bias", StringComparison.Ordinal)), w => Assert.All(w.Value, v => Assert.Equal(0, v)));
        Assert.All(weights.Where(w => w.Key.EndsWith("layer_norm.weight", StringComparison.Ordinal)), w => Assert.All(w.Value, v => Assert.Equal(1, v)));
        foreach (var (name, values) in weights.Where(w => w.Key.EndsWith("weight", StringComparison.Ordinal) && !w.Key.Contains("norm", StringComparison.Ordinal)))
        {
            // Output projections are narrower by sqrt(2 layers); 16,384 draws or more give the deviation to a few percent.
            var output = name.EndsWith("out_proj.weight", StringComparison.Ordinal) || name.EndsWith("fc2.weight", StringComparison.Ordinal);
            var sigma = output ? 0.006 / Math.Sqrt(2 * Model.Layers) : 0.006;
            Assert.Equal(1, Math.Sqrt(values.Average(v => (double)v * v)) / sigma, 0.03);
            Assert.Equal(0, values.Average() / sigma, 0.05);
        }

        // Mean length of a token's row: 0.006 sqrt(width). The padding token's rows are zero in both tables.
        var tokens = weights[OptParameters.EmbedTokens];
        Assert.Equal(0.006 * Math.Sqrt(128), tokens.Chunk(128).Average(row => Math.Sqrt(row.Sum(v => (double)v * v))), 0.001);
        Assert.All(tokens[128..256].Concat(weights[OptParameters.EmbedPositions][128..256]), v => Assert.Equal(0, v));
    }
}
