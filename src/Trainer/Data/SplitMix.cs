namespace Opt.Trainer.Data;

/// <summary>Stateless 64-bit mixing (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).</summary>
internal static class SplitMix
{
    /// <summary>The finaliser of SplitMix64 over the golden-gamma sequence: a bijection with full avalanche.</summary>
    public static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    /// <summary>Folds several values into one key; the order matters.</summary>
    public static ulong Key(params ReadOnlySpan<ulong> values)
    {
        var key = 0x243F6A8885A308D3UL;
        foreach (var value in values) key = Mix(key ^ value);
        return key;
    }
}
