using System.Text;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Data;
using static Opt.Torch.torch;

namespace Opt.Trainer.Model;

/// <summary>
/// Initial weights, drawn element by element from a stream that depends on (seed, parameter name) alone: any shard of any layout can be made
/// by itself and agrees with the whole, so no rank ever holds the model.
/// </summary>
internal static class ParameterInit
{
    /// <summary>Fills the run that <paramref name="slice"/> describes.</summary>
    /// <param name="run">Contiguous fp32 on the CPU, <c>slice.Length</c> elements.</param>
    public static void Fill(Tensor run, ParameterSpec parameter, ParameterSlice slice, int tensorRank, int tensorParallel, long seed)
    {
        switch (parameter.Initialiser)
        {
            case Initialiser.Zero: run.zero_(); break;
            case Initialiser.One: run.fill_(1); break;
            default:
                foreach (var (from, position, length) in GlobalRuns.Of(parameter, slice, tensorRank, tensorParallel)) FillRun(run, parameter, from, position, length, seed);
                break;
        }
    }

    /// <summary>Stream of a parameter: FNV-1a of its name, mixed.</summary>
    public static ulong Stream(string name)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var b in Encoding.UTF8.GetBytes(name)) hash = (hash ^ b) * 0x100000001B3;
        return SplitMix.Mix(hash);
    }

    private static void FillRun(Tensor run, ParameterSpec parameter, long from, long position, long length, long seed)
    {
        using var target = run.narrow(0, from, length);
        ops.opt.keyed_normal_(target, (ulong)seed, Stream(parameter.Name), (ulong)position, mean: 0, parameter.Std);
        if (parameter.ZeroRow is not { } row) return;
        var columns = parameter.Shape[1];
        var first = Math.Max(position, row * columns);
        var last = Math.Min(position + length, (row + 1) * columns);
        if (first >= last) return;
        using var padding = target.narrow(0, first - position, last - first);
        padding.zero_();
    }
}
