using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;
using Opt.Api.Protocol;
using static Opt.Torch.torch;

namespace Opt.Trainer.Diagnostics;

/// <summary>
/// Multiplies the same two matrices of small integers again and again. Every partial sum is an integer below 2^24, so that fp32 (and TF32, whose
/// inputs are at most 8 here) gives the same bits in any order of summation on any machine: a wrong digest is a wrong machine.
/// </summary>
internal sealed class MatrixProductTest : IDiagnosticTest
{
    /// <summary>SHA-256 of the product's fp32 elements, row by row, little endian; computed in integers, by size.</summary>
    private static readonly FrozenDictionary<int, string> s_known = new Dictionary<int, string>
    {
        [64] = "ac775d360f96039b136b8a05cc6a6dcb154db11463628248800f62a562756c7d",
        [512] = "0dbb77b0c369d6d9290a6463917db5c135ae789cebc996b4e1d3897c3f47129f",
        [1024] = "483feebd4fcc44c7221d1fa24d937075fb3179fa6ff7f6f733d63a7b14fd18cd",
    }.ToFrozenDictionary();

    public string Name => DiagnosticTests.MatrixProduct;

    public Finding Run(DiagnosticContext context)
    {
        var lines = new List<string>();
        foreach (var device in context.Devices)
        {
            var found = Burn(context, device);
            if (found.Outcome is not DiagnosticOutcome.Passed) return found;
            lines.Add(found.Detail);
        }

        return Finding.Good(string.Join("; ", lines));
    }

    /// <summary>The element of an input matrix: -7 to 7.</summary>
    internal static int Element(int matrix, int row, int column)
    {
        var mixed = (uint)(row * 73856093) ^ (uint)(column * 19349663) ^ (uint)(matrix * 83492791);
        mixed = (mixed ^ (mixed >> 13)) * 1274126177u;
        return (int)((mixed >> 16) % 15) - 7;
    }

    internal static string Digest(ReadOnlySpan<byte> product) => Convert.ToHexStringLower(SHA256.HashData(product));

    internal static string Known(int size) => s_known[size];

    private static Finding Burn(DiagnosticContext context, Device device)
    {
        var size = context.Effort.MatrixSize;
        using var a = Matrix(1, size, device);
        using var b = Matrix(2, size, device);
        using var wanted = First(context, a, b, size, out var first);
        if (first is not null) return Finding.Bad($"{device}: {first}");
        var started = context.Time.GetTimestamp();
        var products = 1;
        for (; context.Time.GetElapsedTime(started) < context.Effort.MatrixTime; products++)
        {
            context.Stop.ThrowIfCancellationRequested();
            using var product = a.mm(b);
            if (!product.equal(wanted)) return Finding.Bad($"{device}: product {products} of the same {size} x {size} matrices differs from the first in {Differing(product, wanted)} elements");
        }

        var rate = (products - 1) * 2.0 * size * size * size / Math.Max(1e-9, context.Time.GetElapsedTime(started).TotalSeconds);
        return Finding.Good(string.Create(CultureInfo.InvariantCulture, $"{device}: {products} products as known, {rate / 1e9:F0} GFLOP/s"));
    }

    private static Tensor First(DiagnosticContext context, Tensor a, Tensor b, int size, out string? wrong)
    {
        var product = a.mm(b);
        using var here = product.cpu();
        using var packed = here.contiguous();
        if (context.Faults.Strikes(DiagnosticTests.MatrixProduct)) packed.AsSpan<float>()[size] += 1;
        var digest = Digest(System.Runtime.InteropServices.MemoryMarshal.AsBytes(packed.AsSpan<float>()));
        wrong = digest == s_known[size] ? null : $"wrong digest {digest[..12]} of a {size} x {size} product of integers, {s_known[size][..12]} is right";
        return product;
    }

    private static long Differing(Tensor product, Tensor wanted)
    {
        using Tensor here = product.cpu(), there = wanted.cpu();
        var (x, y) = (here.ToArray<float>(), there.ToArray<float>());
        return x.Zip(y).LongCount(p => p.First != p.Second);
    }

    private static Tensor Matrix(int which, int size, Device device)
    {
        var values = new float[size * size];
        for (var row = 0; row < size; row++)
        {
            for (var column = 0; column < size; column++) values[row * size + column] = Element(which, row, column);
        }

        using var here = tensor(values, [size, size]);
        return here.to(device);
    }
}
