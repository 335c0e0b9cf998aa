using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Torch;
using Opt.Trainer.Data;
using Opt.Trainer.Loop;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Data;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Loop;

/// <summary>A model of a few thousand parameters on random tokens, for tests that run the real engine.</summary>
internal static class TinyRun
{
    public static readonly ModelDimensions Model = new()
    {
        Layers = 2, HiddenSize = 32, Heads = 4, FfnSize = 128, VocabSize = 96, MaxPositions = 32, EmbeddingSize = 32, PreNorm = true, Dropout = 0.1, AttentionDropout = 0.1,
    };

    /// <summary>OPT's init is made for wide models; on a tiny one everything is more visible with larger weights.</summary>
    public static TrainingConfig Config(string folder) => new()
    {
        Model = Model,
        TensorParallel = 1,
        Device = DeviceKind.Cpu,
        Data = new() { Root = folder, Train = [new() { Path = "tokens" }] },
        SequenceLength = 16,
        BatchSequences = 7,
        MicroBatchSequences = 2,
        Precision = Precision.Fp32,
        ActivationCheckpointing = ActivationCheckpointing.Full,
        ReshardAfterForward = true,
        Seed = 1,
        Checkpoint = new() { Store = new() },
        HyperParameters = new()
        {
            PeakLearningRate = 4e-3, EndLearningRate = 1e-3, WarmupSteps = 2, DecaySteps = 30, GradientClip = 1, Optimizer = new(), TotalSteps = 20,
            LossScaleInitial = 4, LossScaleWindow = 132, LossScaleFloor = 0.25, LossScaleWindowRule = LossScaleWindow.Fixed,
        },
    };

    public static void WriteTokens(TemporaryFolder folder, string name = "tokens", int count = 20_000, int seed = 3)
    {
        using var writer = new CorpusWriter(folder[name]);
        var random = new Random(seed);
        var tokens = new ushort[count];
        for (var i = 1; i < count; i++) tokens[i] = (ushort)(random.Next(4) == 0 ? random.Next(96) : (tokens[i - 1] * 5 + 7) % 96);   // mostly predictable
        writer.Append(tokens);
        writer.Finish("0123456789abcdef", vocabularySize: 96, endOfDocument: 2);
    }

    public static void RequireTorch()
    {
        try
        {
            _ = __version__;
        }
        catch (TorchUnavailableException e)
        {
            Assert.Skip(e.Message);
        }
    }
}
