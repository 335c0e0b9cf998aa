using System.Text.Json.Nodes;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Plotting;

/// <summary>One signal over steps.</summary>
internal sealed record Curve(string Signal, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>Signals of a step record that can be drawn, by their names there.</summary>
    public static readonly IReadOnlyList<string> Signals = ["loss", "learningRate", "lossScale", "gradientNorm", "activationNorm", "tokensPerSecond", "seconds"];

    /// <summary>The points of a signal in the records, in their order; steps that ran again show the last time only.</summary>
    public static Curve Of(string signal, IEnumerable<JsonObject> records)
    {
        var points = new SortedDictionary<double, double>();
        foreach (var record in records)
        {
            if (record.Number("step") is { } step && record.Number(signal) is { } value) points[step] = value;
        }

        return new(signal, [.. points.Select(p => (p.Key, p.Value))]);
    }

    /// <summary>At most about <paramref name="most"/> points: the smallest and the largest of each stretch, so that no spike is lost.</summary>
    public Curve Thinned(int most)
    {
        if (Points.Count <= most) return this;
        var (kept, size) = (new List<(double, double)>(), (double)Points.Count * 2 / most);
        for (var from = 0d; from < Points.Count; from += size)
        {
            var stretch = Points.Skip((int)from).Take((int)(from + size) - (int)from).ToArray();
            if (stretch.Length == 0) continue;
            var (low, high) = (stretch.MinBy(p => p.Y), stretch.MaxBy(p => p.Y));
            kept.Add(low.X <= high.X ? low : high);
            if (low != high) kept.Add(low.X <= high.X ? high : low);
        }

        return this with { Points = kept };
    }
}
