using System.Globalization;
using System.Text;
using Opt.Api.V1Alpha1;

namespace Opt.Replay;

/// <summary>The run as a picture: one line a week; what the job did as colour, what went wrong as marks.</summary>
public static class Timeline
{
    private const double Width = 980, Row = 46, Left = 70, Week = 7 * 86400;

    public static string Draw(Outcome o)
    {
        var weeks = (int)Math.Ceiling(o.Seconds / Week);
        var svg = new StringBuilder();
        Add(svg, $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Left + Width + 20} {weeks * Row + 90}" font-family="sans-serif" font-size="12">""");
        Add(svg, $"""<rect width="100%" height="100%" fill="white"/><text x="{Left}" y="20" font-size="15">OPT-175B's failures replayed: {o.Seconds / 86400:0.0} days, ETTR {100 * o.Ettr:0.0} %, {100 * o.EttrWithMachines:0.0} % while machines exist, {o.Status.Restarts.Total} relaunches, {o.Interventions.Count} people asked</text>""");
        for (var week = 0; week < weeks; week++) Add(svg, $"""<text x="10" y="{Top(week) + 18}">week {week + 1}</text>""");
        // Stops last and never thinner than can be seen.
        foreach (var (from, to, phase) in o.Phases.OrderBy(p => p.Phase is not JobPhase.Running)) Bar(svg, from, to, Colour(phase), phase is JobPhase.Running ? 0.1 : 2);
        foreach (var fault in o.Faults) Mark(svg, fault);
        Legend(svg, weeks);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Bar(StringBuilder svg, double from, double to, string colour, double thinnest)
    {
        for (var week = (int)(from / Week); week * Week < to; week++)
        {
            var (start, end) = (Math.Max(from, week * Week), Math.Min(to, (week + 1) * Week));
            Add(svg, $"""<rect x="{X(start, week):0.##}" y="{Top(week)}" width="{Math.Max(thinnest, X(end, week) - X(start, week)):0.##}" height="24" fill="{colour}"/>""");
        }
    }

    private static void Mark(StringBuilder svg, Fault fault)
    {
        var week = (int)(fault.At / Week);
        var (x, y) = (X(fault.At, week), Top(week) + 31);
        var colour = fault.Kind switch { FaultKind.Device => "#c0392b", FaultKind.Machine => "#2c3e50", FaultKind.Hang => "#8e44ad", FaultKind.Process => "#f39c12", _ => "black" };
        Add(svg, $"""<circle cx="{x:0.##}" cy="{y}" r="{(fault.Kind is FaultKind.FiveMachines or FaultKind.Cluster ? 6 : 3)}" fill="{colour}"><title>day {fault.At / 86400:0.0}: {fault.Kind}</title></circle>""");
    }

    private static void Legend(StringBuilder svg, int weeks)
    {
        var y = Top(weeks) + 16;
        var items = new[] { ("#27ae60", "training"), ("#e67e22", "recovering"), ("#bdc3c7", "provisioning"), ("#c0392b", "device fault"), ("#2c3e50", "machine lost"), ("#8e44ad", "hang"), ("#f39c12", "process"), ("black", "five at once; all machines taken") };
        var x = Left;
        foreach (var (colour, text) in items)
        {
            Add(svg, $"""<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/><text x="{x + 17}" y="{y + 11}">{text}</text>""");
            x += 40 + 7 * text.Length;
        }
    }

    private static string Colour(JobPhase phase) => phase switch { JobPhase.Running or JobPhase.Succeeded => "#27ae60", JobPhase.Recovering => "#e67e22", JobPhase.Failed => "#c0392b", _ => "#bdc3c7" };

    private static double Top(int week) => 36 + week * Row;

    private static double X(double at, int week) => Left + (at - week * Week) / Week * Width;

    private static void Add(StringBuilder svg, FormattableString text) => svg.AppendLine(text.ToString(CultureInfo.InvariantCulture));
}
