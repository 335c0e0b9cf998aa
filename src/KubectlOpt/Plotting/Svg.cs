using System.Globalization;
using System.Net;
using System.Text;

namespace Opt.KubectlOpt.Plotting;

/// <summary>Curves as a self-contained SVG: one panel a signal over a common axis of steps, marks where somebody intervened. Fits light and dark viewers.</summary>
internal static class Svg
{
    private const int Width = 960, PanelHeight = 180, Left = 80, Right = 20, Top = 40, Gap = 46;
    private const int MostPoints = 1800;
    private static readonly double[] RoundFactors = [1, 2, 5, 10];

    /// <param name="marks">Step and text of each intervention; the text shows on hover.</param>
    public static string Draw(string title, IReadOnlyList<Curve> curves, IReadOnlyList<(double Step, string Text)> marks)
    {
        var height = Top + curves.Count * (PanelHeight + Gap);
        var xs = curves.SelectMany(c => c.Points.Select(p => p.X)).DefaultIfEmpty(0).ToArray();
        var (from, to) = Widened(xs.Min(), xs.Max());
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {height}" role="img" aria-label="{WebUtility.HtmlEncode(title)}" font-family="system-ui, sans-serif" font-size="12">
            <style>
            svg {"{"} --ink: #1b1f24; --faint: #d0d7de; --line: #0969da; --mark: #cf222e; background: #ffffff {"}"}
            @media (prefers-color-scheme: dark) {"{"} svg {"{"} --ink: #e6edf3; --faint: #30363d; --line: #58a6ff; --mark: #ff7b72; background: #0d1117 {"}"} {"}"}
            text {"{"} fill: var(--ink) {"}"} .grid {"{"} stroke: var(--faint) {"}"} .curve {"{"} fill: none; stroke: var(--line); stroke-width: 1.5 {"}"} .mark {"{"} stroke: var(--mark); stroke-dasharray: 3 3 {"}"}
            </style>
            <text x="{Left}" y="22" font-size="15" font-weight="600">{WebUtility.HtmlEncode(title)}</text>

            """);
        for (var i = 0; i < curves.Count; i++) Panel(svg, curves[i].Thinned(MostPoints), Top + i * (PanelHeight + Gap), from, to, marks);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, Curve curve, int top, double from, double to, IReadOnlyList<(double Step, string Text)> marks)
    {
        var (low, high) = Widened(curve.Points.Select(p => p.Y).DefaultIfEmpty(0).Min(), curve.Points.Select(p => p.Y).DefaultIfEmpty(1).Max());
        svg.Append(CultureInfo.InvariantCulture, $"<g><text x=\"{Left}\" y=\"{top + 12}\" font-weight=\"600\">{curve.Signal}</text>\n");
        foreach (var tick in Ticks(low, high)) svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(tick):0.#}\" y2=\"{Y(tick):0.#}\"/><text x=\"{Left - 8}\" y=\"{Y(tick) + 4:0.#}\" text-anchor=\"end\">{Views.Show.Short(tick)}</text>\n");
        foreach (var tick in Ticks(from, to)) svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(tick):0.#}\" y=\"{top + PanelHeight + 30}\" text-anchor=\"middle\">{Views.Show.Short(tick)}</text>\n");
        foreach (var mark in marks.Where(m => m.Step >= from && m.Step <= to)) svg.Append(CultureInfo.InvariantCulture, $"<line class=\"mark\" x1=\"{X(mark.Step):0.#}\" x2=\"{X(mark.Step):0.#}\" y1=\"{top + 18}\" y2=\"{top + PanelHeight + 14}\"><title>step {mark.Step}: {WebUtility.HtmlEncode(mark.Text)}</title></line>\n");
        svg.Append("<polyline class=\"curve\" points=\"").AppendJoin(' ', curve.Points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{X(p.X):0.#},{Y(p.Y):0.#}"))).Append("\"/></g>\n");

        double X(double step) => Left + (step - from) / (to - from) * (Width - Left - Right);
        double Y(double value) => top + 18 + (high - value) / (high - low) * (PanelHeight - 4);
    }

    /// <summary>Four to nine round values from the first at or above <paramref name="low"/>.</summary>
    internal static IEnumerable<double> Ticks(double low, double high)
    {
        var rough = (high - low) / 5;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = RoundFactors.Select(f => f * power).First(s => s >= rough);
        for (var n = Math.Ceiling(low / step); n * step <= high; n++) yield return n * step;
    }

    private static (double, double) Widened(double low, double high) => high > low ? (low, high) : (low - (Math.Abs(low) / 10 + 0.5), high + (Math.Abs(high) / 10 + 0.5));
}
