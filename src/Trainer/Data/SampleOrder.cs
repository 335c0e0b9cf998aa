using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Data;

/// <summary>Where a sample lies: corpus by position in the configuration, and block of sequenceLength + 1 tokens within it.</summary>
public readonly record struct SampleLocation(int Corpus, long Block);

/// <summary>
/// Sample i as a pure function of (seed, corpora, weights, i): no state to save, no dependence on ranks. Shuffled order visits every block of
/// a corpus once before any comes again, in another order each time round. Without weights the corpora form one pool, so that each is met in
/// proportion to its size; with weights they are interleaved by <see cref="Mixture"/>, each with its own rounds.
/// </summary>
public sealed class SampleOrder
{
    private readonly long[] _blocks;
    private readonly long[] _starts;
    private readonly long _total;
    private readonly ulong _seed;
    private readonly DataOrder _order;
    private readonly Mixture? _mixture;

    /// <param name="blocks">Blocks of each corpus; at least 1 each.</param>
    /// <param name="weights">Weight of each corpus; null for all means in proportion to size.</param>
    public SampleOrder(IReadOnlyList<long> blocks, IReadOnlyList<double?> weights, long seed, DataOrder order)
    {
        _blocks = [.. blocks];
        _starts = new long[_blocks.Length];
        for (var c = 1; c < _blocks.Length; c++) _starts[c] = _starts[c - 1] + _blocks[c - 1];
        _total = _blocks.Sum();
        _seed = (ulong)seed;
        _order = order;
        if (order == DataOrder.Shuffled && _blocks.Length > 1 && weights.Any(w => w is not null))
        {
            _mixture = new([.. weights.Select((w, c) => w ?? (double)_blocks[c] / _total)]);
        }
    }

    /// <summary>Blocks in one round over everything.</summary>
    public long Total => _total;

    public SampleLocation At(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (_order == DataOrder.Sequential) return Locate(index % _total);
        if (_mixture is null) return Locate(Shuffle(pool: 0xFFFF, _total, index));
        var (corpus, ordinal) = _mixture.At(index);
        return new(corpus, Shuffle((ulong)corpus, _blocks[corpus], ordinal));
    }

    private long Shuffle(ulong pool, long count, long ordinal)
    {
        var (round, within) = Math.DivRem(ordinal, count);
        return new Permutation(count, SplitMix.Key(_seed, pool, (ulong)round))[within];
    }

    private SampleLocation Locate(long block)
    {
        var found = Array.BinarySearch(_starts, block);
        var corpus = found >= 0 ? found : ~found - 1;
        return new(corpus, block - _starts[corpus]);
    }
}
