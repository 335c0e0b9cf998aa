using System.Globalization;

namespace Opt.Trainer.Reports;

/// <summary>One axis of a picture: where a value lies between its ends (0 to 1), and the few round values that are written beside it.</summary>
internal sealed class PlotAxis
{
    private static readonly double[] Round = [1, 2, 5];
    private readonly double _low, _high;
    private readonly bool _logarithmic;

    private PlotAxis(double low, double high, bool logarithmic) => (_low, _high, _logarithmic) = high - low < 1e-12 ? (low - 0.5, high + 0.5, logarithmic) : (low, high, logarithmic);

    /// <summary>An axis that holds all values that can be drawn on it; null when there are none.</summary>
    public static PlotAxis? Over(IEnumerable<double?> values, bool logarithmic)
    {
        var drawn = values.OfType<double>().Where(v => CanDraw(v, logarithmic)).Select(v => logarithmic ? Math.Log10(v) : v).ToArray();
        return drawn.Length == 0 ? null : new(drawn.Min(), drawn.Max(), logarithmic);
    }

    /// <summary>Whether the value has a place: finite, and positive on a logarithmic axis.</summary>
    public bool CanDraw(double value) => CanDraw(value, _logarithmic);

    public double Place(double value) => ((_logarithmic ? Math.Log10(value) : value) - _low) / (_high - _low);

    /// <summary>Round values between the ends: powers of ten, with 2 and 5 times them where there is room; evenly spaced ones where a decade is too coarse.</summary>
    public IReadOnlyList<double> Ticks(int atMost)
    {
        if (!_logarithmic) return Even(_low, _high, atMost);
        var powers = Enumerable.Range((int)Math.Floor(_low), (int)(Math.Ceiling(_high) - Math.Floor(_low)) + 1).ToArray();
        double[] fine = [.. powers.SelectMany(p => Round, (p, r) => r * Math.Pow(10, p)).Where(IsInside)];
        if (fine.Length < 2) return Even(Math.Pow(10, _low), Math.Pow(10, _high), atMost);
        if (fine.Length <= atMost) return fine;
        var every = (powers.Length + atMost - 1) / atMost;
        return [.. powers.Where(p => p % every == 0).Select(p => Math.Pow(10, p)).Where(IsInside)];
    }

    public static string Label(double value) => Math.Abs(value) is 0 or (>= 1e-3 and < 1e5)
        ? value.ToString("0.####", CultureInfo.InvariantCulture)
        : value.ToString("0.##e0", CultureInfo.InvariantCulture);

    private static bool CanDraw(double value, bool logarithmic) => double.IsFinite(value) && (!logarithmic || value > 0);

    private static double[] Even(double low, double high, int atMost)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10((high - low) / atMost)));
        var step = Round.Append(10).Select(r => r * power).First(s => (high - low) / s <= atMost);
        var first = (long)Math.Ceiling(low / step - 1e-9);
        return [.. Enumerable.Range(0, (int)Math.Floor(high / step - first + 1e-9) + 1).Select(i => (first + i) * step)];
    }

    private bool IsInside(double value) => Place(value) is >= -1e-9 and <= 1 + 1e-9;
}
