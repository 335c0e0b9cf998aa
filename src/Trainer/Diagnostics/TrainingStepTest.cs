using System.Globalization;
using System.Security.Cryptography;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Data;
using Opt.Trainer.Loop;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Diagnostics;

/// <summary>
/// Trains a tiny model for a few steps, twice, through the whole trainer (corpus, forward, backward, update). Both runs must end with the same bits, and
/// so must those of all nodes whose environment is the same.
/// </summary>
internal sealed class TrainingStepTest : IDiagnosticTest
{
    private const int Vocabulary = 96, Batch = 4;

    private static readonly ModelDimensions s_model = new()
    {
        Layers = 2, HiddenSize = 64, Heads = 4, FfnSize = 256, VocabSize = Vocabulary, MaxPositions = 32, EmbeddingSize = 64, PreNorm = true, Dropout = 0.1, AttentionDropout = 0.1,
    };

    private static readonly HyperParameters s_values = new()
    {
        PeakLearningRate = 1e-3, EndLearningRate = 1e-3, WarmupSteps = 0, DecaySteps = 1, GradientClip = 1, Optimizer = new(), TotalSteps = 100,
        LossScaleInitial = 1, LossScaleWindow = 1, LossScaleFloor = 1, LossScaleWindowRule = LossScaleWindow.Fixed,
    };

    public string Name => DiagnosticTests.TrainingStep;

    public Finding Run(DiagnosticContext context)
    {
        var folder = Path.Combine(context.Scratch, $"diagnose-{Guid.NewGuid():n}");
        try
        {
            WriteCorpus(folder);
            var (first, loss) = Train(context, folder);
            if (context.Faults.Strikes(DiagnosticTests.TrainingStep)) first = string.Concat(first.Reverse());
            var (second, _) = Train(context, folder);
            if (first != second) return Finding.Bad($"two runs of the same {context.Effort.TrainingSteps} steps end in {first[..12]} and {second[..12]}");
            var environment = RunIdentity.EnvironmentHash(Config(folder), new(0, 1, 1), context.Devices[0]);
            return Finding.Good(string.Create(CultureInfo.InvariantCulture, $"{context.Effort.TrainingSteps} steps twice, the same bits, loss {loss:F4}")) with { Digest = first, Environment = environment };
        }
        finally
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
    }

    private static (string Digest, double Loss) Train(DiagnosticContext context, string folder)
    {
        var config = Config(folder);
        using var data = Dataset.Open(config.Data, config.SequenceLength, config.Seed, config.Model);
        using var world = World.Single(context.Time);
        using var engine = new TrainingEngine(config, world, context.Devices[0], context.Time);
        engine.Storage.Initialise(config.Seed);
        engine.ParametersChanged();
        var loss = 0.0;
        for (var step = 0; step < context.Effort.TrainingSteps; step++)
        {
            context.Stop.ThrowIfCancellationRequested();
            var batch = BatchCursor.Read(step * Batch, Batch, []);
            var targets = (double)Batch * config.SequenceLength;
            loss = engine.Run(data, batch, lossSeed: 1).Loss / targets;
            engine.Update(s_values, step + 1, momentsFrom: 0, gradientScale: 1 / targets);
        }

        return (Digest(engine.Storage), loss);
    }

    private static string Digest(ShardStorage storage)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var tensor in new[] { storage.Master, storage.FirstMoment!, storage.SecondMoment! })
        {
            using var here = tensor.cpu();
            hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(here.ToArray<float>()));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static TrainingConfig Config(string folder) => new()
    {
        Model = s_model, TensorParallel = 1, Device = DeviceKind.Auto, Data = new() { Root = folder, Train = [new() { Path = "tokens" }] }, SequenceLength = 32, BatchSequences = Batch, MicroBatchSequences = 2,
        Precision = Precision.Fp32, ActivationCheckpointing = ActivationCheckpointing.Full, ReshardAfterForward = true, Seed = 1, Checkpoint = new() { Store = new() }, HyperParameters = s_values,
    };

    private static void WriteCorpus(string folder)
    {
        using var writer = new CorpusWriter(Path.Combine(folder, "tokens"));
        var tokens = new ushort[4096];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = (ushort)((i * 31 + i / 7 * 17) % Vocabulary);
        writer.Append(tokens);
        writer.Finish("diagnostics", Vocabulary, endOfDocument: 2);
    }
}
