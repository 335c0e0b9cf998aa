namespace Opt.Api;

/// <summary>Median and scaled median absolute deviation: a few wild values in the window do not move them.</summary>
public readonly record struct RobustStatistics(double Median, double Sigma, int Count)
{
    /// <summary>1 / (quantile 0.75 of the standard normal): makes the MAD an estimate of the standard deviation.</summary>
    private const double MadToSigma = 1.4826;

    /// <summary>Statistics of the finite values; <see cref="Count"/> 0 when there are none.</summary>
    public static RobustStatistics Of(IEnumerable<double> values)
    {
        var finite = values.Where(double.IsFinite).ToArray();
        if (finite.Length == 0) return default;
        var median = Middle(finite);
        var deviations = Array.ConvertAll(finite, v => Math.Abs(v - median));
        return new(median, MadToSigma * Middle(deviations), finite.Length);
    }

    /// <summary>
    /// Statistics of a series that may be falling, as a healthy loss does: the median is the level at its end and the deviation that from the
    /// falling line. A rising series is taken as level, since a rise is what one looks for.
    /// </summary>
    public static RobustStatistics Falling(double[] values)
    {
        var half = values.Length / 2;
        var (early, late) = (Of(values.Take(half)), Of(values.Skip(values.Length - half)));
        if (early.Count == 0 || late.Count == 0) return Of(values);
        var slope = Math.Min(0, (late.Median - early.Median) / (values.Length - half));
        return Of(values.Select((v, i) => v - slope * (i - (values.Length - 1))));
    }

    /// <summary>How many sigmas <paramref name="value"/> lies above the median. Sigma counts as at least 1 % of the median, so that a flat window is not hair-triggered.</summary>
    public double Above(double value) => (value - Median) / Math.Max(Sigma, Math.Max(0.01 * Math.Abs(Median), 1e-12));

    private static double Middle(double[] values)
    {
        Array.Sort(values);
        var half = values.Length / 2;
        return values.Length % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }
}
