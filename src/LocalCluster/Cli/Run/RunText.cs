using System.Globalization;
using System.Text;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>How numbers and curves of a run are written.</summary>
internal static class RunText
{
    private const string Levels = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";

    /// <summary>One line: phase, step, loss, rate, speed, nodes.</summary>
    public static string Line(JobView view) => string.Create(CultureInfo.InvariantCulture,
        $"{view.Phase,-12} epoch {view.Epoch}  step {view.Step}/{view.TotalSteps}  loss {Loss(view.Loss)}  lr {Rate(view.LearningRate)}  {Speed(view.TokensPerSecond)}  nodes {view.NodesReady}/{view.NodesDesired}{Checkpoint(view)}");

    public static string Loss(double? loss) => loss?.ToString("0.000", CultureInfo.InvariantCulture) ?? "-";

    public static string Rate(double? rate) => rate?.ToString("0.00e-0", CultureInfo.InvariantCulture) ?? "-";

    public static string Speed(double? tokensPerSecond) => tokensPerSecond is { } speed ? $"{speed.ToString("#,0", CultureInfo.InvariantCulture)} tokens/s" : "- tokens/s";

    public static string Bar(double fraction, int width)
    {
        var full = (int)Math.Round(fraction * width);
        return new string('\u2588', full) + new string('\u2591', width - full);
    }

    /// <summary>The values as one line of block characters, resampled to <paramref name="width"/>.</summary>
    public static string Curve(IReadOnlyList<double> values, int width)
    {
        if (values.Count == 0) return "";
        var (low, high) = (values.Min(), values.Max());
        var text = new StringBuilder();
        var columns = Math.Min(width, values.Count);
        for (var column = 0; column < columns; column++)
        {
            var value = values[(int)((long)column * values.Count / columns)];
            text.Append(Levels[high > low ? (int)Math.Round((value - low) / (high - low) * (Levels.Length - 1)) : 0]);
        }

        return text.ToString();
    }

    private static string Checkpoint(JobView view) => view.CheckpointStep is { } step ? $"  checkpoint {step}" : "";
}
