using System.Globalization;
using System.Runtime.InteropServices;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Cli;
using Opt.Trainer.Export;
using Opt.Trainer.Loop;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Opt.Trainer.Tests.Loop;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Model;

public sealed class PyTorchParityTests : IDisposable
{
    private const int Steps = 50;

    // Losses over 50 steps against PyTorch in fp32, relative. bf16 has 8 bits: its weights alone are off by 2^-9.
    private static readonly (Precision, bool Masters, double Tolerance)[] s_in16Bit =
        [(Precision.Fp16, true, 1e-3), (Precision.Fp16, false, 5e-3), (Precision.Bf16, true, 5e-3), (Precision.Bf16, false, 5e-2)];

    private readonly TemporaryFolder _folder = new();

    public PyTorchParityTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true, 32), InlineData(false, 16)]
    public void Logits_equal_those_of_pytorch(bool preNorm, int embedding)
    {
        var model = TinyRun.Model with { PreNorm = preNorm, EmbeddingSize = embedding };
        using var weights = Export(model);
        long[] ids = [2, 17, 5, 1, 90, 33, 5, 64, 7];
        PyTorch.Run("logits", "--model", _folder["hf"], "--tokens", string.Join(',', ids), "--output", _folder["logits"]);
        var theirs = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(_folder["logits"])).ToArray();
        var ours = Logits(model, weights, ids);
        Near(theirs, ours, 1e-5);
    }

    [Theory]
    [InlineData(true, 32), InlineData(false, 16)]
    public void The_gradient_of_every_parameter_equals_that_of_pytorch(bool preNorm, int embedding)
    {
        var model = TinyRun.Model with { PreNorm = preNorm, EmbeddingSize = embedding, Dropout = 0, AttentionDropout = 0 };
        using var weights = Export(model);
        PyTorch.Run("gradients", "--model", _folder["hf"], "--data", _folder["tokens"], "--length", "16", "--batch", "7", "--output", _folder["gradients"]);
        var theirs = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(_folder["gradients"])).ToArray();
        var ours = Gradients(model, weights);
        Assert.Equal(theirs.Length, ours.Values.Sum(g => g.Length));
        var (offset, whole) = (0, Norm(theirs));
        foreach (var (name, gradient) in ours.OrderBy(g => g.Key.Replace('.', '/'), StringComparer.Ordinal))
        {
            var expected = theirs.AsSpan(offset, gradient.Length).ToArray();
            offset += gradient.Length;
            // The bias of the keys has no gradient but rounding: hence the share of the whole norm.
            Assert.True(Norm([.. gradient.Zip(expected, (a, b) => a - b)]) <= 1e-5 * Norm(expected) + 1e-7 * whole, name);
        }
    }

    [Fact]
    public async Task A_model_trained_under_tensor_and_data_parallelism_is_the_same_model_when_exported()
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with
        {
            TensorParallel = 2,
            Data = config.Data with { Validation = [new() { Path = "tokens" }], ValidateEverySteps = 6 },
            Checkpoint = new() { Store = new(), Every = new() { Steps = 100 } },
            HyperParameters = config.HyperParameters with { TotalSteps = 6 },
        };
        var trained = ThreadRanks.Train(config, 4, store: _folder["store"])[0].Steps[^1];
        var (model, loaded) = await ModelFiles.LoadAsync(_folder["store"], null, TestContext.Current.CancellationToken);
        using var weights = loaded;
        HuggingFaceFolder.Write(_folder["hf"], model, weights);
        long[] ids = [2, 17, 5, 1, 90, 33, 5, 64, 7];
        var alone = ThreadRanks.Train(config with { TensorParallel = 1 }, 1, store: _folder["alone"])[0].Steps[^1];
        Assert.Equal(alone.Validation[0].Loss, trained.Validation[0].Loss, 1e-5);
        var (_, other) = await ModelFiles.LoadAsync(_folder["alone"], null, TestContext.Current.CancellationToken);
        using (other) Near(Logits(model, other, ids), Logits(model, weights, ids), 1e-3);   // six Adam steps apart by rounding alone
        PyTorch.Run("logits", "--model", _folder["hf"], "--tokens", string.Join(',', ids), "--output", _folder["logits"]);
        Near(MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(_folder["logits"])).ToArray(), Logits(model, weights, ids), 1e-5);
    }

    [Theory]
    [InlineData(true, 32, 1), InlineData(true, 32, 2), InlineData(false, 16, 1)]
    public void The_loss_curve_equals_that_of_pytorch(bool preNorm, int embedding, int worldSize)
    {
        var model = TinyRun.Model with { PreNorm = preNorm, EmbeddingSize = embedding, Dropout = 0, AttentionDropout = 0 };
        using var weights = Export(model);
        var config = TinyRun.Config(_folder.Path);
        config = config with
        {
            Model = model,
            Data = config.Data with { Order = DataOrder.Sequential },
            HyperParameters = config.HyperParameters with { PeakLearningRate = 2e-3, EndLearningRate = 2e-3, WarmupSteps = 0, DecaySteps = 0, TotalSteps = Steps },
        };
        var printed = PyTorch.Run("train", "--model", _folder["hf"], "--data", _folder["tokens"], "--length", "16", "--batch", "7", "--steps", $"{Steps}", "--lr", "2e-3",
            "--clip", "1", "--beta1", "0.9", "--beta2", "0.95", "--eps", "1e-8", "--weight-decay", "0.1");
        var theirs = printed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray()).ToArray();
        var ours = ThreadRanks.Train(config, worldSize)[0].Steps;
        Assert.Equal(Steps, ours.Count);
        for (var i = 0; i < Steps; i++)
        {
            Assert.Equal(1, ours[i].Loss!.Value / theirs[i][0], 1e-4);
            // Rounding grows: a bias without a gradient turns it into Adam steps, and the norm shows that sooner than the loss.
            Assert.Equal(1, ours[i].GradientNorm!.Value / theirs[i][1], i < 10 ? 1e-4 : 1e-2);
        }

        Assert.True(theirs[^1][0] < theirs[0][0] - 0.1);
        if (worldSize > 1 || !preNorm) return;
        foreach (var (precision, masters, tolerance) in s_in16Bit)
        {
            var rounded = ThreadRanks.Train(config with { Precision = precision, MasterWeights = masters }, 1)[0].Steps;
            Assert.All(rounded.Zip(theirs), pair => Assert.Equal(1, pair.First.Loss!.Value / pair.Second[0], tolerance));
        }
    }

    private static void Near(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Max(Math.Abs);
        Assert.All(actual.Zip(expected), pair => Assert.Equal(pair.Second / scale, pair.First / scale, tolerance));
    }

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    private Dictionary<string, float[]> Gradients(ModelDimensions model, ShardStorage weights)
    {
        var config = TinyRun.Config(_folder.Path);
        config = config with { Model = model, Data = config.Data with { Order = DataOrder.Sequential } };
        using var data = Opt.Trainer.Data.Dataset.Open(config.Data, config.SequenceLength, config.Seed, model);
        using var world = World.Single(TimeProvider.System);
        using var engine = new TrainingEngine(config, world, CPU, TimeProvider.System);
        engine.Storage.Master.copy_(weights.Master);
        engine.ParametersChanged();
        engine.Run(data, new([0, 1, 2, 3, 4, 5, 6], 7), lossSeed: 1.0 / (7 * 16));
        return WholeModel.From(model, [(engine.Storage.Describe(), engine.Storage.Gradient.ToArray<float>())]);
    }

    private ShardStorage Export(ModelDimensions model)
    {
        var weights = ModelFiles.NewStorage(model, moments: false);
        weights.Initialise(1);
        HuggingFaceFolder.Write(_folder["hf"], model, weights);
        return weights;
    }

    private static float[] Logits(ModelDimensions model, ShardStorage weights, long[] ids)
    {
        using var world = World.Single(TimeProvider.System);
        using var engine = new TrainingEngine(TinyRun.Config("") with { Model = model }, world, CPU, TimeProvider.System);
        engine.Storage.Master.copy_(weights.Master);
        ushort[] row = [.. ids.Select(i => (ushort)i), 0];
        using var batch = TokenBatch.From(row, ids.Length, [0], [ids.Length], CPU);
        using var logits = engine.Logits(batch);
        return logits.ToArray<float>();
    }
}
