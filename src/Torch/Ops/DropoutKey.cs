using System.Runtime.InteropServices;

namespace Opt.Torch;

/// <summary>What a dropout mask is a function of: nothing else has influence, not ranks, devices, threads, or the order of calls.</summary>
/// <param name="Seed">The job's seed.</param>
/// <param name="Samples">Global index of each sample of the batch, in the order of the leading dimension.</param>
/// <param name="Layer">Layer, below 4096.</param>
/// <param name="Site">Place in the layer, below 16.</param>
/// <param name="FirstHead">Global index of the first head held here, for masks that differ by head.</param>
/// <param name="Heads">Heads held here; 1 for masks without heads.</param>
public readonly record struct DropoutKey(ulong Seed, long[] Samples, int Layer, int Site, int FirstHead = 0, int Heads = 1);

/// <summary><c>opt_dropout_key</c> of opttorch.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeDropoutKey
{
    public ulong Seed;
    public long* Samples;
    public int SampleCount;
    public int Layer;
    public int Site;
    public int FirstHead;
    public int HeadCount;
    public int Reserved;

    public static NativeDropoutKey From(in DropoutKey key, long* samples) => new()
    {
        Seed = key.Seed,
        Samples = samples,
        SampleCount = key.Samples.Length,
        Layer = key.Layer,
        Site = key.Site,
        FirstHead = key.FirstHead,
        HeadCount = key.Heads,
    };
}
