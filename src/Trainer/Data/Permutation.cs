using System.Numerics;

namespace Opt.Trainer.Data;

/// <summary>
/// A keyed permutation of [0, count) with random access and no memory: a balanced Feistel network over the next even power of two, walking
/// cycles until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
/// </summary>
internal readonly struct Permutation
{
    private const int Rounds = 6;
    private readonly long _count;
    private readonly ulong _key;
    private readonly int _half;
    private readonly ulong _mask;

    public Permutation(long count, ulong key)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        _count = count;
        _key = key;
        _half = (Math.Max(2, 64 - BitOperations.LeadingZeroCount((ulong)count - 1)) + 1) / 2;
        _mask = (1UL << _half) - 1;
    }

    /// <summary>Where <paramref name="index"/> goes. At most four walks are expected, since the domain is under four times the count.</summary>
    public long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)index, (ulong)_count, nameof(index));
            var x = (ulong)index;
            do x = Encrypt(x);
            while (x >= (ulong)_count);
            return (long)x;
        }
    }

    private ulong Encrypt(ulong x)
    {
        var (left, right) = (x >> _half, x & _mask);
        for (var round = 0; round < Rounds; round++)
        {
            (left, right) = (right, left ^ (SplitMix.Mix(_key ^ SplitMix.Mix(right + ((ulong)round << 56))) & _mask));
        }

        return (left << _half) | right;
    }
}
