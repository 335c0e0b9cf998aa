using System.Globalization;
using System.Text;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Reports;

/// <summary>
/// A training run as a picture, like figures 1 and 2 of the OPT paper (arXiv 2205.01068): loss, learning rate, loss scale, gradient and
/// activation norm against steps, one line an epoch, interventions marked.
/// </summary>
internal static class TrainingPlot
{
    private const int Width = 1000, Left = 80, Right = 20, Top = 46, PanelHeight = 130, Gap = 18, MostPoints = 1500;
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

    /// <param name="records">By epoch and attempt.</param>
    public static string Draw(string title, IReadOnlyList<StepRecord> records, IReadOnlyList<LogbookEntry> logbook)
    {
        var steps = (First: records.Min(r => r.Step), Last: Math.Max(records.Max(r => r.Step), records.Min(r => r.Step) + 1));
        var shown = Panels.Where(p => records.Select(p.Value).Distinct().Skip(1).Any()).ToArray();
        var marks = logbook.Where(e => e.Actor != "operator" || e.What.StartsWith("quarantined", StringComparison.Ordinal)).ToArray();
        var bottom = Top + shown.Length * (PanelHeight + Gap);
        var height = bottom + 24 + 15 * marks.Length;
        var svg = new StringBuilder();
        svg.AppendLine(Text($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"11\">"));
        svg.AppendLine("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        svg.AppendLine(Text($"<text x=\"{Left}\" y=\"20\" font-size=\"15\">{Escaped(title)}</text>"));
        for (var i = 0; i < shown.Length; i++) DrawPanel(svg, shown[i], Top + i * (PanelHeight + Gap), records, steps);
        for (var i = 0; i < marks.Length; i++) Mark(svg, i + 1, marks[i], X(marks[i].Step, steps), bottom);
        svg.AppendLine(Text($"<text x=\"{Width - Right}\" y=\"{bottom + 10}\" text-anchor=\"end\">step {steps.First} to {steps.Last}</text>"));
        return svg.AppendLine("</svg>").ToString();
    }

    private static void DrawPanel(StringBuilder svg, Panel panel, int top, IReadOnlyList<StepRecord> records, (long First, long Last) steps)
    {
        var values = records.Select(panel.Value).OfType<double>().Where(v => double.IsFinite(v) && (!panel.Logarithmic || v > 0)).Select(v => Scaled(panel, v)).ToArray();
        if (values.Length == 0) return;
        var (low, high) = (values.Min(), values.Max());
        if (high - low < 1e-12) (low, high) = (low - 0.5, high + 0.5);
        svg.AppendLine(Text($"<rect x=\"{Left}\" y=\"{top}\" width=\"{Width - Left - Right}\" height=\"{PanelHeight}\" fill=\"none\" stroke=\"#999\"/>"));
        svg.AppendLine(Text($"<text x=\"{Left + 6}\" y=\"{top + 14}\" fill=\"#333\">{panel.Title}</text>"));
        foreach (var (value, y) in new[] { (high, top + 10), (low, top + PanelHeight) }) svg.AppendLine(Text($"<text x=\"{Left - 6}\" y=\"{y}\" text-anchor=\"end\">{(panel.Logarithmic ? Math.Pow(10, value) : value):G3}</text>"));
        foreach (var epoch in records.GroupBy(r => r.Epoch))
        {
            var stride = Math.Max(1, epoch.Count() / MostPoints);
            var points = epoch.Where((_, i) => i % stride == 0).Select(r => (r.Step, Value: panel.Value(r))).Where(p => p.Value is { } v && double.IsFinite(v) && (!panel.Logarithmic || v > 0));
            var line = string.Join(' ', points.Select(p => Text($"{X(p.Step, steps):F1},{top + PanelHeight - (PanelHeight - 4) * (Scaled(panel, p.Value!.Value) - low) / (high - low):F1}")));
            svg.AppendLine(Text($"<polyline fill=\"none\" stroke=\"{Colors[(int)(epoch.Key % Colors.Length)]}\" points=\"{line}\"><title>epoch {epoch.Key}</title></polyline>"));
        }
    }

    private static void Mark(StringBuilder svg, int number, LogbookEntry entry, double x, int bottom)
    {
        svg.AppendLine(Text($"<line class=\"intervention\" x1=\"{x:F1}\" x2=\"{x:F1}\" y1=\"{Top - 6}\" y2=\"{bottom - Gap}\" stroke=\"#c00\" stroke-dasharray=\"4 3\"/>"));
        svg.AppendLine(Text($"<text x=\"{x:F1}\" y=\"{Top - 10}\" fill=\"#c00\" text-anchor=\"middle\">{number}</text>"));
        var what = $"{number}. step {entry.Step}, {entry.Actor}: {entry.What}";
        svg.AppendLine(Text($"<text x=\"{Left}\" y=\"{bottom + 14 + 15 * number}\">{Escaped(what.Length <= 170 ? what : what[..167] + "...")}</text>"));
    }

    private static double Scaled(Panel panel, double value) => panel.Logarithmic ? Math.Log10(value) : value;

    private static double X(long step, (long First, long Last) steps) => Left + (double)(Width - Left - Right) * (Math.Clamp(step, steps.First, steps.Last) - steps.First) / (steps.Last - steps.First);

    private static string Escaped(string text) => System.Security.SecurityElement.Escape(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
