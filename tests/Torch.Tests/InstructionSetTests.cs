using System.Diagnostics;
using System.Security.Cryptography;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

/// <summary>Kernels are compiled for several instruction sets. The flat ones promise the same bits from all, attention the same to rounding.</summary>
public sealed class InstructionSetTests
{
    public const string Command = "digest";

    [Theory]
    [InlineData("baseline")]
    [InlineData("haswell")]
    public void Every_instruction_set_gives_the_same_bits(string isa)
    {
        var here = Lines();
        var info = Self.Again(Command);
        info.Environment["OPT_TORCH_ISA"] = isa;
        info.RedirectStandardOutput = true;
        using var other = Process.Start(info)!;
        var there = other.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        other.WaitForExit();
        Assert.Equal(0, other.ExitCode);
        Assert.Equal(here, there);
    }

    public static int Print()
    {
        foreach (var line in Lines())
        {
            Console.WriteLine(line);
        }

        return 0;
    }

    private static string[] Lines()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([3, 5003], generator: generator);
        Tensor p = ones([3, 5003]), m = zeros([3, 5003]), v = zeros([3, 5003]);
        ops.opt.adamw_step(p, x, m, v, new AdamWOptions(1e-3, 0.9, 0.95, 1e-8, 0.1, 0.7, 3, AdamWRule.FusedV1));
        var (logits, losses) = (x.mul(5), empty([3]));
        ops.opt.cross_entropy_(logits, tensor([0L, 17, 5002]), losses, 0.3);
        var attended = ops.opt.causal_attention(x.view(1, 3, 1, 5003).narrow(3, 0, 4950).view(1, 3, 99, 50), ones([1, 3, 99, 50]), randn([1, 3, 99, 50], generator: generator), 0.1);
        return
        [
            Digest(p), Digest(m), Digest(v), Digest(logits), Digest(losses),
            Digest(ops.opt.keyed_dropout(x, 0.3, new DropoutKey(5, [1, 2, 3], 4, 5))),
            ops.opt.sum_of_squares(x).ToString("R", System.Globalization.CultureInfo.InvariantCulture),
            attended.to(float64).sum().item<double>().ToString("F3", System.Globalization.CultureInfo.InvariantCulture),
        ];
    }

    private static string Digest(Tensor tensor) => Convert.ToHexString(SHA256.HashData(tensor.bytes));
}
