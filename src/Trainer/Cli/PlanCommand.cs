using System.CommandLine;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer plan</c>: whether a layout fits and what it costs, without a single accelerator.</summary>
internal static class PlanCommand
{
    private static readonly Option<string?> s_model = new("--model") { Description = "A preset, such as opt-175b" };
    private static readonly Option<FileInfo?> s_config = new("--config") { Description = "A train file whose model, batch and precision to take instead" };
    private static readonly Option<int> s_nodes = new("--nodes") { Description = "Machines", DefaultValueFactory = _ => 1 };
    private static readonly Option<int> s_accelerators = new("--accelerators") { Description = "Accelerators of each machine", DefaultValueFactory = _ => 8 };
    private static readonly Option<int?> s_tensor = new("--tensor") { Description = "Tensor-parallel size; default the preset's, or 1" };
    private static readonly Option<int?> s_shard = new("--data-parallel-shard") { Description = "Data-parallel ranks that share one copy of the state; default all" };
    private static readonly Option<long?> s_batch = new("--batch-tokens") { Description = "Tokens per optimizer step; default the preset's" };
    private static readonly Option<int?> s_length = new("--sequence-length") { Description = "Tokens per sequence; default the model's positions" };
    private static readonly Option<int?> s_micro = new("--micro-batch") { Description = "Sequences per forward pass; default the whole share of a rank" };
    private static readonly Option<Precision?> s_precision = new("--precision") { Description = "fp32, fp16 or bf16; default fp16" };
    private static readonly Option<bool> s_noMaster = new("--no-master-weights") { Description = "Weights in 16 bit alone, as OPT ran" };
    private static readonly Option<ActivationCheckpointing> s_checkpointing = new("--activation-checkpointing") { Description = "none or full", DefaultValueFactory = _ => ActivationCheckpointing.Full };
    private static readonly Option<bool> s_resident = new("--no-reshard") { Description = "Keep parameters gathered after forward" };
    private static readonly Option<double> s_teraflops = new("--tflops") { Description = "TFLOP/s of each accelerator, recomputation included (OPT-175B: 147)", DefaultValueFactory = _ => 147 };
    private static readonly Option<double> s_peak = new("--peak-tflops") { Description = "What an accelerator could do at best (A100: 312)", DefaultValueFactory = _ => 312 };

    public static Command Create()
    {
        var command = new Command("plan", "Memory, work, traffic and checkpoint sizes of a layout")
        {
            s_model, s_config, s_nodes, s_accelerators, s_tensor, s_shard, s_batch, s_length, s_micro, s_precision, s_noMaster, s_checkpointing, s_resident, s_teraflops, s_peak,
        };
        command.SetAction(r =>
        {
            foreach (var line in Report(r)) Console.WriteLine(line);
            return 0;
        });
        return command;
    }

    /// <exception cref="TrainerException">Configuration: the layout cannot run.</exception>
    internal static IEnumerable<string> Report(ParseResult r)
    {
        var world = r.GetValue(s_nodes) * r.GetValue(s_accelerators);
        var chosen = Chosen(r, world);
        LayoutRules.Require(chosen.Model, chosen.Length, chosen.Tokens, r.GetValue(s_micro) ?? 1, world, chosen.Tensor);
        var data = world / chosen.Tensor;
        if (data % (r.GetValue(s_shard) ?? data) != 0) throw new TrainerException(WorkerExit.Configuration, $"--data-parallel-shard: {r.GetValue(s_shard)} does not divide the {data} data-parallel ranks");
        var share = Math.Max(1, (int)((chosen.Tokens / chosen.Length + data - 1) / data));
        var input = new FootprintInput(chosen.Model, world, chosen.Tensor, chosen.Length, chosen.Tokens, chosen.Precision == Precision.Fp32 ? 4 : 2, r.GetValue(s_micro) ?? share,
            r.GetValue(s_checkpointing) == ActivationCheckpointing.Full, !r.GetValue(s_resident))
        {
            ShardParallel = r.GetValue(s_shard),
            MasterWeights = !r.GetValue(s_noMaster),
        };
        return PlanReport.Lines(chosen.Name, input, r.GetValue(s_teraflops) * 1e12, r.GetValue(s_peak) * 1e12);
    }

    private static Choice Chosen(ParseResult r, int world)
    {
        if (r.GetValue(s_model) is null == r.GetValue(s_config) is null) throw new TrainerException(WorkerExit.Usage, "give exactly one of --model and --config");
        if (r.GetValue(s_config) is { } file)
        {
            var config = TrainFileReader.Read(file.FullName, world, DeviceKind.Cpu);
            return new(file.Name, config.Model, r.GetValue(s_tensor) ?? config.TensorParallel, r.GetValue(s_length) ?? config.SequenceLength, r.GetValue(s_batch) ?? config.BatchTokens, r.GetValue(s_precision) ?? config.Precision);
        }

        var name = r.GetValue(s_model)!;
        var preset = ModelPreset.Find(name) ?? throw new TrainerException(WorkerExit.Configuration, $"--model: \"{name}\" is not a preset; use one of {string.Join(", ", ModelPreset.All.Select(p => p.Name))}");
        var tensor = r.GetValue(s_tensor) ?? Math.Min(preset.TensorParallel, r.GetValue(s_accelerators));
        return new(preset.Name, preset.Dimensions, tensor, r.GetValue(s_length) ?? preset.Dimensions.MaxPositions, r.GetValue(s_batch) ?? preset.BatchTokens, r.GetValue(s_precision) ?? Precision.Fp16);
    }

    private sealed record Choice(string Name, ModelDimensions Model, int Tensor, int Length, long Tokens, Precision Precision);
}
