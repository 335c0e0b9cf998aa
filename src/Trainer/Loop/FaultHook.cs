using System.Globalization;
using Opt.Trainer.Parallel;

namespace Opt.Trainer.Loop;

/// <summary>
/// For fault drills: when the environment names a folder (<c>OPT_FAULT_FOLDER</c>), a file <c>flip-bit-rank-N</c> put there makes rank N flip
/// the top exponent bit of the largest of its master weights below 2, once, as a bad memory cell would. Without that variable there is no such thing.
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
        var weights = storage.Master.AsSpan<float>();
        var largest = 0;
        // Below 2 that bit is clear, and setting it multiplies by 2^128. The largest are gains of LayerNorms, which every token meets; one weight of
        // an embedding may do no harm at all, and a weight of 0 would merely become 2.
        for (var i = 1; i < weights.Length; i++)
        {
            if (Math.Abs(weights[i]) < 2 && Math.Abs(weights[i]) > Math.Abs(weights[largest])) largest = i;
        }

        weights[largest] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(weights[largest]) ^ (1 << 30));
        return true;
    }
}
