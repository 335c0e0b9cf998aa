using System.Globalization;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Cli;

/// <summary>What <c>opt-trainer plan</c> prints. GB are 10^9 bytes.</summary>
internal static class PlanReport
{
    /// <summary>OPT's 300 billion tokens.</summary>
    private const double AllTokens = 300e9;

    /// <param name="flops">What each accelerator does a second, recomputation included.</param>
    /// <param name="peak">What it could do at best.</param>
    public static IEnumerable<string> Lines(string name, FootprintInput input, double flops, double peak)
    {
        var f = new Footprint(input);
        var m = f.Memory;
        var copies = f.DataParallel / f.ShardParallel;
        yield return Line($"{name}: {input.Model.ParameterCount:N0} parameters on {input.WorldSize} accelerators, tensor parallel {input.TensorParallel} x data parallel {f.DataParallel}{(copies == 1 ? "" : $" ({copies} copies of the state)")}");
        yield return Line($"batch                  {input.BatchTokens:N0} tokens, micro-batch {input.MicroBatch} x {input.SequenceLength}");
        yield return Line($"block, per tensor rank {f.Block.Elements:N0} parameters; shard {f.Block.ShardElements:N0}, padding {f.Block.GatheredElements - f.Block.Elements}");
        yield return Line($"root, per tensor rank  {f.Root.Elements:N0} parameters; shard {f.Root.ShardElements:N0}, padding {f.Root.GatheredElements - f.Root.Elements}");
        yield return Line($"parameters per rank    {f.ShardParameters:N0}; all in 16 bit {2.0 * input.Model.ParameterCount / 1e9:F1} GB");
        yield return Line($"memory per rank        {Gigabytes(m.Peak)} = state and gradient shards {Gigabytes(m.State)} + gathered parameters {Gigabytes(m.Gathered)} + gradient buffers {Gigabytes(m.Gradients)} + activations and work on them {Gigabytes(m.Work)}");
        yield return Line($"wire per rank, step    {Gigabytes(f.WireBytesPerStep)}, or {Gigabytes(f.PlainWireBytes)} if blocks still there were gathered again; tensor-parallel all-reduce {f.TensorMessageBytes / 1e6:F1} MB each");
        yield return Line($"checkpoint             {f.CheckpointBytes / 1e12:F3} TB in {input.WorldSize} objects of {Gigabytes(12 * f.ShardParameters)} (as OPT stored it: {f.OptCheckpointBytes / 1e12:F3} TB, {Gigabytes(10 * f.ShardParameters)} each)");
        yield return Line($"work                   {f.FlopsPerToken:0.000000e0} FLOP per token, {f.FlopsPerToken * AllTokens:0.0000e0} for 300B tokens");
        yield return Line($"at {flops / 1e12:F0} TFLOP/s         {f.TokensPerSecond(flops):N2} tokens/s, {f.StepSeconds(flops):F3} s per step, {AllTokens / f.TokensPerSecond(flops) / 86400:F2} days for 300B tokens");
        var useful = ModelFlops.WithoutRecomputation(input.Model, input.SequenceLength) / f.FlopsPerToken;
        yield return Line($"of {peak / 1e12:F0} TFLOP/s         {100 * flops / peak:F1} % with recomputation, {100 * flops / peak * useful:F1} % of model FLOPs (MFU)");
    }

    private static string Gigabytes(double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F3} GB");

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
