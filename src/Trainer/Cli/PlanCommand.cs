using System.CommandLine;
using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer plan</c>: whether a layout fits and what it costs, without a single accelerator.</summary>
internal static class PlanCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "A preset, such as opt-175b", Required = true };
        var nodes = new Option<int>("--nodes") { Description = "Machines", DefaultValueFactory = _ => 1 };
        var accelerators = new Option<int>("--accelerators") { Description = "Accelerators of each machine", DefaultValueFactory = _ => 8 };
        var tensor = new Option<int?>("--tensor") { Description = "Tensor-parallel size; default the preset's" };
        var batch = new Option<long?>("--batch-tokens") { Description = "Tokens per optimizer step; default the preset's" };
        var length = new Option<int>("--sequence-length") { Description = "Tokens per sequence", DefaultValueFactory = _ => ModelPreset.SequenceLength };
        var micro = new Option<int?>("--micro-batch") { Description = "Sequences per forward pass; default the whole share of a rank" };
        var precision = new Option<Precision>("--precision") { Description = "fp32, fp16 or bf16", DefaultValueFactory = _ => Precision.Fp16 };
        var checkpointing = new Option<ActivationCheckpointing>("--activation-checkpointing") { Description = "none or full", DefaultValueFactory = _ => ActivationCheckpointing.Full };
        var resident = new Option<bool>("--no-reshard") { Description = "Keep parameters gathered after forward" };
        var teraflops = new Option<double>("--tflops") { Description = "TFLOP/s of each accelerator, recomputation included (OPT-175B: 147)", DefaultValueFactory = _ => 147 };
        var command = new Command("plan", "Memory, work, traffic and checkpoint sizes of a layout") { model, nodes, accelerators, tensor, batch, length, micro, precision, checkpointing, resident, teraflops };
        command.SetAction(r =>
        {
            var preset = ModelPreset.Find(r.GetValue(model)!) ?? throw new TrainerException(WorkerExit.Configuration, $"--model: \"{r.GetValue(model)}\" is not a preset; use one of {string.Join(", ", ModelPreset.All.Select(p => p.Name))}");
            var world = r.GetValue(nodes) * r.GetValue(accelerators);
            var parallel = r.GetValue(tensor) ?? Math.Min(preset.TensorParallel, r.GetValue(accelerators));
            var faults = LayoutRules.Check(preset.Dimensions, r.GetValue(length), world, parallel);
            if (faults.Count > 0) throw new TrainerException(WorkerExit.Configuration, string.Join("; ", faults));
            var tokens = r.GetValue(batch) ?? preset.BatchTokens;
            var share = Math.Max(1, (int)(tokens / r.GetValue(length) / (world / parallel)));
            Print(preset, world, parallel, new(preset.Dimensions, world, parallel, r.GetValue(length), tokens, r.GetValue(precision) == Precision.Fp32 ? 4 : 2, r.GetValue(micro) ?? share,
                r.GetValue(checkpointing) == ActivationCheckpointing.Full, !r.GetValue(resident)), r.GetValue(teraflops) * 1e12);
            return 0;
        });
        return command;
    }

    private static void Print(ModelPreset preset, int world, int tensorParallel, FootprintInput input, double flops)
    {
        var f = new Footprint(input);
        Line($"{preset.Name}: {preset.Dimensions.ParameterCount:N0} parameters on {world} accelerators, tensor parallel {tensorParallel} x data parallel {f.DataParallel}");
        Line($"batch                 {input.BatchTokens:N0} tokens, micro-batch {input.MicroBatch} x {input.SequenceLength}");
        Line($"block, per tensor rank {f.Block.Elements:N0} parameters; shard {f.Block.ShardElements:N0}, padding {f.Block.GatheredElements - f.Block.Elements}");
        Line($"root, per tensor rank {f.Root.Elements:N0} parameters; shard {f.Root.ShardElements:N0}, padding {f.Root.GatheredElements - f.Root.Elements}");
        Line($"parameters per rank   {f.ShardParameters:N0}");
        Line($"memory per rank       {Gigabytes(f.TotalBytes)} = state and gradient shards {Gigabytes(f.ShardBytes)} + gathered parameters {Gigabytes(f.GatheredBytes)} + gradient buffers {Gigabytes(f.GradientBufferBytes)} + activations {Gigabytes(f.ActivationBytes)}");
        Line($"wire per rank, step   {Gigabytes(f.WireBytesPerStep)}; tensor-parallel all-reduce {f.TensorMessageBytes / 1e6:F1} MB each");
        Line($"checkpoint            {f.CheckpointBytes / 1e12:F3} TB in {world} objects of {Gigabytes(12 * f.ShardParameters)} (as OPT stored it: {f.OptCheckpointBytes / 1e12:F3} TB, {Gigabytes(10 * f.ShardParameters)} each)");
        Line($"work                  {f.FlopsPerToken:0.000000e0} FLOP per token, {f.FlopsPerToken * 300e9:0.0000e0} for 300B tokens");
        Line($"at {flops / 1e12:F0} TFLOP/s        {f.TokensPerSecond(flops):N2} tokens/s, {f.StepSeconds(flops):F3} s per step, {300e9 / f.TokensPerSecond(flops) / 86400:F2} days for 300B tokens");
    }

    private static string Gigabytes(double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F3} GB");

    private static void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
