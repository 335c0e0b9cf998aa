using System.Globalization;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Loop;

/// <summary>
/// For fault drills: when the environment names a folder (<c>OPT_FAULT_FOLDER</c>), a file <c>flip-bit-rank-N</c> put there makes rank N flip
/// the top exponent bit of one of its master weights, once, as a bad memory cell would. Without that variable there is no such thing.
/// </summary>
internal sealed class FaultHook(string? folder, int rank)
{
    public const string Variable = "OPT_FAULT_FOLDER";

    private readonly string? _flip = string.IsNullOrEmpty(folder) ? null : Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"flip-bit-rank-{rank}"));

    public static FaultHook FromEnvironment(int rank) => new(Environment.GetEnvironmentVariable(Variable), rank);

    /// <returns>True when the weights were changed.</returns>
    public bool Strike(ShardStorage storage)
    {
        if (_flip is null || !File.Exists(_flip)) return false;
        File.Delete(_flip);
        using var first = storage.Master.narrow(0, 0, 1);
        var bits = BitConverter.SingleToInt32Bits(first.AsSpan<float>()[0]) ^ (1 << 30);
        first.AsSpan<float>()[0] = BitConverter.Int32BitsToSingle(bits);
        return true;
    }
}
