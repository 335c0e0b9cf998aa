using Opt.Api;
using Opt.Api.Protocol;

namespace Opt.Trainer.Loop;

/// <summary>One rank's own numbers of an attempt, before they are summed over all ranks.</summary>
/// <param name="Weights">L2 norm of its shard of the master weights before the update.</param>
/// <param name="Gradient">L2 norm of its shard of the reduced gradient.</param>
/// <param name="Loss">Nats over its own samples.</param>
/// <param name="Worked">Seconds of the attempt in which it did not wait for other ranks.</param>
internal readonly record struct RankNumbers(double Weights, double Gradient, double Loss, double Worked = 0);

/// <summary>
/// Finds the rank that stands apart. Trouble with numbers reaches every rank in the same attempt, since every shard takes part in every
/// forward; a machine that computes or remembers wrongly is first alone. Kept on every rank, so that all would say the same.
/// </summary>
internal sealed class RankWatch(int worldSize)
{
    /// <summary>A shard's norm never grows by this factor in one update, whatever the learning rate: all shards would.</summary>
    private const double Jump = 4;

    private const int Kinds = 4;
    private readonly double[] _usual = new double[worldSize];

    /// <summary>Places for this rank's numbers within a vector that is summed over all ranks: zero everywhere but at its own.</summary>
    public double[] Place(int rank, RankNumbers numbers)
    {
        var values = new double[Kinds * worldSize];
        (values[Kinds * rank], values[Kinds * rank + 1], values[Kinds * rank + 2], values[Kinds * rank + 3]) = (numbers.Weights, numbers.Gradient, numbers.Loss, numbers.Worked);
        return values;
    }

    /// <summary>The rank that worked longest, beside the median; null for a single rank.</summary>
    public RankPace? Slowest(ReadOnlySpan<double> values)
    {
        if (worldSize < 2) return null;
        var worked = new double[worldSize];
        for (var rank = 0; rank < worldSize; rank++) worked[rank] = values[Kinds * rank + 3];
        var slowest = Array.IndexOf(worked, worked.Max());
        var seconds = worked[slowest];
        Array.Sort(worked);
        return new(slowest, seconds, worked[(worldSize - 1) / 2]);
    }

    /// <summary>The ranks that stand apart in this attempt; none when half of them do.</summary>
    public EquatableList<RankOutlier> Observe(ReadOnlySpan<double> values)
    {
        if (worldSize < 2) return [];
        var found = new List<RankOutlier>();
        for (var rank = 0; rank < worldSize; rank++)
        {
            var weights = values[Kinds * rank];
            var jumped = !double.IsFinite(weights) || (_usual[rank] > 0 && weights > Jump * _usual[rank]);
            if (jumped) found.Add(new(rank, "weights", Finite(weights), Finite(_usual[rank])));
            else _usual[rank] = weights;
        }

        Alone(values, 1, "gradient", found);
        Alone(values, 2, "loss", found);
        return 2 * found.Select(o => o.Rank).Distinct().Count() > worldSize ? [] : [.. found];
    }

    /// <summary>Ranks whose number is not finite while most others' is.</summary>
    private void Alone(ReadOnlySpan<double> values, int kind, string name, List<RankOutlier> found)
    {
        var bad = new List<int>();
        for (var rank = 0; rank < worldSize; rank++)
        {
            if (!double.IsFinite(values[Kinds * rank + kind])) bad.Add(rank);
        }

        if (2 * bad.Count < worldSize || (worldSize == 2 && bad.Count == 1)) found.AddRange(bad.Select(rank => new RankOutlier(rank, name, null, null)));
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
