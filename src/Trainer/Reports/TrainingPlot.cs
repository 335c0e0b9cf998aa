using System.Globalization;
using System.Text;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Reports;

/// <summary>
/// A training run as a picture, like figures 1 and 2 of the OPT paper (arXiv 2205.01068): loss, learning rate, loss scale, gradient and
/// activation norm against steps, one line an epoch; interventions and attempts that failed are marked.
/// </summary>
internal static class TrainingPlot
{
    private const int Width = 1000, Left = 80, Right = 20, Top = 52, PanelHeight = 130, Gap = 18, MostPoints = 1500, LineLength = 150, MostEpochsNamed = 6;
    private static readonly string[] Colors = ["#1f77b4", "#d95f02", "#2ca02c", "#9467bd", "#8c564b"];

    private sealed record Panel(string Title, Func<StepRecord, double?> Value, bool Logarithmic);

    private static readonly Panel[] Panels =
    [
        new("loss (nats per token)", r => r.Loss, true),
        new("learning rate", r => r.LearningRate, false),
        new("loss scale", r => r.LossScale, true),
        new("gradient norm", r => r.GradientNorm, true),
        new("activation norm", r => r.ActivationNorm, true),
    ];

    /// <param name="records">By epoch and attempt; at least one.</param>
    public static string Draw(string title, IReadOnlyList<StepRecord> records, IReadOnlyList<LogbookEntry> logbook)
    {
        var steps = PlotAxis.Over([records.Min(r => r.Step), Math.Max(records.Max(r => r.Step), records.Min(r => r.Step) + 1)], logarithmic: false)!;
        var shown = Panels.Where(p => records.Select(p.Value).Distinct().Skip(1).Any()).ToArray();
        var marks = logbook.Where(e => e.Actor != "operator" || e.What.StartsWith("quarantined", StringComparison.Ordinal)).ToArray();
        var said = marks.SelectMany((e, i) => Wrapped($"{i + 1}. step {e.Step}, {e.Actor}: {e.What}")).ToArray();
        var bottom = Top + shown.Length * (PanelHeight + Gap) - Gap;
        var height = bottom + 46 + 15 * said.Length;
        var svg = new StringBuilder();
        svg.AppendLine(Text($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"11\">"));
        svg.AppendLine("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        svg.AppendLine(Text($"<text x=\"{Left}\" y=\"20\" font-size=\"15\">{Escaped(title)}</text>"));
        DrawLegend(svg, records);
        for (var i = 0; i < shown.Length; i++) DrawPanel(svg, shown[i], Top + i * (PanelHeight + Gap), records, steps);
        DrawFailures(svg, records, steps);
        DrawSteps(svg, steps, bottom);
        DrawMarks(svg, marks, steps, bottom);
        for (var i = 0; i < said.Length; i++) svg.AppendLine(Text($"<text x=\"{Left}\" y=\"{bottom + 46 + 15 * i}\" xml:space=\"preserve\">{Escaped(said[i])}</text>"));
        return svg.AppendLine("</svg>").ToString();
    }

    private static void DrawLegend(StringBuilder svg, IReadOnlyList<StepRecord> records)
    {
        var epochs = records.Select(r => r.Epoch).Distinct().ToArray();
        var failed = records.Count(HasFailed);
        var words = epochs.Length > MostEpochsNamed ? [(Color: Colors[0], Word: Text($"epochs {epochs[0]} to {epochs[^1]}"))] : epochs.Select(e => (Color: Color(e), Word: Text($"epoch {e}"))).ToList();
        if (failed > 0) words.Add(("#c00", Text($"{failed} attempts skipped or not finite")));
        var spans = string.Concat(words.Select((w, i) => Text($"<tspan fill=\"{w.Color}\" dx=\"{(i == 0 ? 0 : 14)}\">&#9632; {w.Word}</tspan>")));
        svg.AppendLine(Text($"<text x=\"{Width - Right}\" y=\"20\" text-anchor=\"end\">{spans}</text>"));
    }

    private static void DrawPanel(StringBuilder svg, Panel panel, int top, IReadOnlyList<StepRecord> records, PlotAxis steps)
    {
        if (PlotAxis.Over(records.Select(panel.Value), panel.Logarithmic || IsWide([.. records.Select(panel.Value).OfType<double>().Order()])) is not { } axis) return;
        double Y(double value) => top + PanelHeight - 3 - (PanelHeight - 22) * axis.Place(value);
        foreach (var tick in axis.Ticks(5))
        {
            svg.AppendLine(Text($"<path d=\"M{Left} {Y(tick):F1}H{Width - Right}\" stroke=\"#e4e4e4\"/>"));
            svg.AppendLine(Text($"<text x=\"{Left - 6}\" y=\"{Y(tick) + 4:F1}\" text-anchor=\"end\">{PlotAxis.Label(tick)}</text>"));
        }

        svg.AppendLine(Text($"<rect x=\"{Left}\" y=\"{top}\" width=\"{Width - Left - Right}\" height=\"{PanelHeight}\" fill=\"none\" stroke=\"#999\"/>"));
        svg.AppendLine(Text($"<text x=\"{Left + 6}\" y=\"{top + 14}\" fill=\"#333\">{panel.Title}</text>"));
        foreach (var epoch in records.GroupBy(r => r.Epoch))
        {
            var stride = Math.Max(1, epoch.Count() / MostPoints);
            var points = epoch.Where((_, i) => i % stride == 0).Select(r => (r.Step, Value: panel.Value(r))).Where(p => p.Value is { } v && axis.CanDraw(v));
            var line = string.Join(' ', points.Select(p => Text($"{X(p.Step, steps):F1},{Y(p.Value!.Value):F1}")));
            svg.AppendLine(Text($"<polyline fill=\"none\" stroke=\"{Color(epoch.Key)}\" stroke-width=\"1.3\" points=\"{line}\"><title>epoch {epoch.Key}</title></polyline>"));
        }
    }

    /// <summary>Whether a few values would press the others to the ground of a linear axis, as a learning rate does that is a thousand times too high.</summary>
    private static bool IsWide(double[] sorted) => sorted.Length > 0 && sorted[^1] > 20 * sorted[sorted.Length / 2] && sorted[sorted.Length / 2] > 0;

    /// <summary>What has no place on a curve: attempts without an update, at the top of the first panel.</summary>
    private static void DrawFailures(StringBuilder svg, IReadOnlyList<StepRecord> records, PlotAxis steps)
    {
        var places = records.Where(HasFailed).Select(r => Math.Round(X(r.Step, steps), 1)).Distinct().ToArray();
        if (places.Length > 0) svg.AppendLine(Text($"<path class=\"failed\" d=\"{string.Concat(places.Select(x => Text($"M{x} {Top}v8")))}\" stroke=\"#c00\" stroke-width=\"3\"/>"));
    }

    private static void DrawSteps(StringBuilder svg, PlotAxis steps, int bottom)
    {
        foreach (var step in steps.Ticks(10).Where(double.IsInteger))
        {
            svg.AppendLine(Text($"<path d=\"M{X(step, steps):F1} {bottom}v4\" stroke=\"#999\"/>"));
            svg.AppendLine(Text($"<text x=\"{X(step, steps):F1}\" y=\"{bottom + 16}\" text-anchor=\"middle\">{step:0}</text>"));
        }

        svg.AppendLine(Text($"<text x=\"{Left - 16}\" y=\"{bottom + 16}\" text-anchor=\"end\">step</text>"));
    }

    /// <summary>A line for each place where somebody intervened, with the numbers of what is written below the picture.</summary>
    private static void DrawMarks(StringBuilder svg, LogbookEntry[] marks, PlotAxis steps, int bottom)
    {
        foreach (var place in marks.Select((entry, i) => (Number: i + 1, X: Math.Round(X(entry.Step, steps)))).GroupBy(m => m.X))
        {
            svg.AppendLine(Text($"<line class=\"intervention\" x1=\"{place.Key}\" x2=\"{place.Key}\" y1=\"{Top - 6}\" y2=\"{bottom}\" stroke=\"#c00\" stroke-dasharray=\"4 3\"/>"));
            svg.AppendLine(Text($"<text x=\"{place.Key}\" y=\"{Top - 10}\" fill=\"#c00\" text-anchor=\"middle\">{string.Join(", ", place.Select(m => m.Number))}</text>"));
        }
    }

    /// <summary>Lines short enough for the picture, broken between words; those after the first stand under its text.</summary>
    private static IEnumerable<string> Wrapped(string text)
    {
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + word.Length >= LineLength)
            {
                yield return line;
                line = "    ";
            }

            line += line.Length == 0 || line[^1] == ' ' ? word : $" {word}";
        }

        yield return line;
    }

    private static bool HasFailed(StepRecord record) => record.Skipped || record.Loss is not { } loss || !double.IsFinite(loss);

    private static string Color(long epoch) => Colors[(int)(Math.Max(0, epoch - 1) % Colors.Length)];

    private static double X(double step, PlotAxis steps) => Left + (Width - Left - Right) * Math.Clamp(steps.Place(step), 0, 1);

    private static string Escaped(string text) => System.Security.SecurityElement.Escape(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
