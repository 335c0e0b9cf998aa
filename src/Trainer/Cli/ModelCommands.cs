using System.CommandLine;
using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Export;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer init | export | import</c>: weights between their forms on disk.</summary>
internal static class ModelCommands
{
    public static Command Init()
    {
        var preset = new Option<string?>("--model") { Description = "A preset, such as opt-125m" };
        var config = new Option<FileInfo?>("--config") { Description = "A train file whose model section to take instead" };
        var seed = new Option<long>("--seed") { Description = "Seed of the weights", DefaultValueFactory = _ => 1 };
        var output = new Option<string>("--output") { Description = "Checkpoint folder to write", Required = true };
        var command = new Command("init", "Write initial weights as a checkpoint") { preset, config, seed, output };
        command.SetAction((r, ct) => InitAsync(r.GetValue(preset), r.GetValue(config), r.GetValue(seed), r.GetValue(output)!, ct));
        return command;
    }

    public static Command Export()
    {
        var checkpoint = new Option<string>("--checkpoint") { Description = "Checkpoint folder", Required = true };
        var step = new Option<long?>("--step") { Description = "Step; default the newest" };
        var output = new Option<string>("--output") { Description = "Hugging Face folder to write", Required = true };
        var command = new Command("export", "Convert a checkpoint to a Hugging Face OPT folder") { checkpoint, step, output };
        command.SetAction((r, ct) => ExportAsync(r.GetValue(checkpoint)!, r.GetValue(step), r.GetValue(output)!, ct));
        return command;
    }

    public static Command Import()
    {
        var model = new Option<string>("--model") { Description = "Hugging Face OPT folder", Required = true };
        var output = new Option<string>("--output") { Description = "Checkpoint folder to write", Required = true };
        var command = new Command("import", "Convert a Hugging Face OPT folder to a checkpoint") { model, output };
        command.SetAction((r, ct) => ImportAsync(r.GetValue(model)!, r.GetValue(output)!, ct));
        return command;
    }

    private static async Task<int> InitAsync(string? preset, FileInfo? config, long seed, string output, CancellationToken ct)
    {
        var model = (preset, config) switch
        {
            ({ } name, null) => (ModelPreset.Find(name) ?? throw new TrainerException(WorkerExit.Configuration, $"--model: \"{name}\" is not a preset; use one of {string.Join(", ", ModelPreset.All.Select(p => p.Name))}")).Dimensions,
            (null, { } file) => TrainFileReader.Read(file.FullName, 1, DeviceKind.Cpu).Model,
            _ => throw new TrainerException(WorkerExit.Usage, "give exactly one of --model and --config"),
        };
        using var storage = ModelFiles.NewStorage(model, moments: true);
        storage.Initialise(seed);
        await ModelFiles.SaveAsync(output, model, storage, seed, ct);
        return Say($"{output}: {model.ParameterCount:N0} parameters, seed {seed}");
    }

    private static async Task<int> ExportAsync(string checkpoint, long? step, string output, CancellationToken ct)
    {
        var (model, storage) = await ModelFiles.LoadAsync(checkpoint, step, ct);
        using (storage) HuggingFaceFolder.Write(output, model, storage);
        return Say($"{output}: {model.ParameterCount:N0} parameters");
    }

    private static async Task<int> ImportAsync(string folder, string output, CancellationToken ct)
    {
        var model = HuggingFaceFolder.ReadModel(folder);
        using var storage = ModelFiles.NewStorage(model, moments: true);
        HuggingFaceFolder.Load(folder, model, storage);
        await ModelFiles.SaveAsync(output, model, storage, seed: 0, ct);
        return Say($"{output}: {model.ParameterCount:N0} parameters");
    }

    private static int Say(FormattableString text)
    {
        Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
        return 0;
    }
}
