using System.CommandLine;
using System.Globalization;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Data;
using Opt.Trainer.Loop;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer evaluate</c>: loss and perplexity of a model on a corpus.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Hugging Face folder or checkpoint folder", Required = true };
        var step = new Option<long?>("--step") { Description = "Step of a checkpoint folder; default the newest" };
        var data = new Option<string>("--data") { Description = "Corpus: path without extension", Required = true };
        var length = new Option<int?>("--sequence-length") { Description = "Tokens per block; default the model's positions" };
        var batch = new Option<int>("--batch") { Description = "Blocks per forward pass", DefaultValueFactory = _ => 4 };
        var command = new Command("evaluate", "Loss in nats per token and perplexity") { model, step, data, length, batch };
        command.SetAction((r, ct) => RunAsync(r.GetValue(model)!, r.GetValue(step), r.GetValue(data)!, r.GetValue(length), r.GetValue(batch), ct));
        return command;
    }

    private static async Task<int> RunAsync(string folder, long? step, string corpus, int? length, int batch, CancellationToken ct)
    {
        var (model, loaded) = await ModelFiles.LoadAsync(folder, step, ct);
        using var weights = loaded;
        using var tokens = Corpus.Open("", Path.GetFullPath(corpus));
        CorpusChecks.SameVocabulary([tokens], model);
        var config = Config(model, corpus, length ?? model.MaxPositions, batch);
        LayoutRules.Require(config, 1);
        using var world = World.Single(TimeProvider.System);
        using var engine = new TrainingEngine(config, world, CPU, TimeProvider.System);
        engine.Storage.Master.copy_(weights.Master);
        engine.ParametersChanged();
        using var validation = new Validation(config);
        var loss = validation.Run(engine.Schedule, world, CPU)[0].Loss;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{corpus}: {loss:F6} nats per token, {loss / Math.Log(2):F6} bits, perplexity {Math.Exp(loss):F4}, {tokens.Metadata.Tokens} tokens"));
        return 0;
    }

    private static TrainingConfig Config(Api.ModelDimensions model, string corpus, int length, int batch) => new()
    {
        Model = model,
        TensorParallel = 1,
        Device = DeviceKind.Cpu,
        Data = new() { Root = "", Train = [], Validation = [new() { Path = Path.GetFullPath(corpus) }] },
        SequenceLength = length,
        BatchSequences = batch,
        MicroBatchSequences = batch,
        Precision = Precision.Fp32,
        ActivationCheckpointing = ActivationCheckpointing.Full,
        ReshardAfterForward = true,
        Seed = 0,
        Checkpoint = new() { Store = new() },
        HyperParameters = new()
        {
            PeakLearningRate = 0, EndLearningRate = 0, WarmupSteps = 0, DecaySteps = 0, GradientClip = 0, Optimizer = new(), TotalSteps = 0,
            LossScaleInitial = 1, LossScaleWindow = 1, LossScaleFloor = 0, LossScaleWindowRule = LossScaleWindow.Fixed,
        },
    };
}
