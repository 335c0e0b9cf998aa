namespace Opt.Trainer.Data;

/// <summary>
/// Interleaves corpora by weight: over any prefix each corpus is within one sample or so of its share, and over every <see cref="Period"/>
/// indices it has its quota exactly. Weights are rounded to quotas of 1/65536 (largest remainder, at least one).
/// </summary>
internal sealed class Mixture
{
    public const int Period = 1 << 16;

    private readonly int[] _quota;
    private readonly byte[] _corpus = new byte[Period];
    private readonly ushort[] _rank = new ushort[Period];

    public Mixture(IReadOnlyList<double> weights)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(weights.Count, 255, nameof(weights));
        _quota = Quotas(weights);
        var next = new int[_quota.Length];
        var order = new PriorityQueue<int, (double Due, int Corpus)>();
        for (var c = 0; c < _quota.Length; c++) Schedule(c);
        for (var slot = 0; slot < Period; slot++)
        {
            var c = order.Dequeue();
            _corpus[slot] = (byte)c;
            _rank[slot] = (ushort)next[c]++;
            Schedule(c);
        }

        // The j-th sample of a corpus with quota q is due in the middle of its j-th share of the period.
        void Schedule(int c)
        {
            if (next[c] < _quota[c]) order.Enqueue(c, ((next[c] + 0.5) / _quota[c], c));
        }
    }

    /// <summary>Which corpus index i reads, and how many samples of that corpus came before.</summary>
    public (int Corpus, long Ordinal) At(long index)
    {
        var (period, slot) = Math.DivRem(index, Period);
        var corpus = _corpus[slot];
        return (corpus, period * _quota[corpus] + _rank[slot]);
    }

    private static int[] Quotas(IReadOnlyList<double> weights)
    {
        var total = weights.Sum();
        var exact = weights.Select(w => w / total * Period).ToArray();
        var quota = exact.Select(e => Math.Max(1, (int)e)).ToArray();
        var byRemainder = Enumerable.Range(0, quota.Length).OrderByDescending(c => exact[c] - quota[c]).ThenBy(c => c).ToArray();
        for (var k = 0; quota.Sum() < Period; k++) quota[byRemainder[k % quota.Length]]++;
        while (quota.Sum() > Period) quota[Array.IndexOf(quota, quota.Max())]--;
        return quota;
    }
}
