using System.Globalization;
using System.Text.RegularExpressions;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>Go's durations: <c>1h30m</c>, <c>250ms</c>.</summary>
internal static partial class CelDuration
{
    public static bool TryParse(string text, out TimeSpan span)
    {
        span = default;
        var rest = text.TrimStart('-', '+');
        if (rest == "0") return true;
        if (rest.Length == 0 || text.Length - rest.Length > 1 || !Whole().IsMatch(rest)) return false;
        var ticks = 0.0;
        foreach (Match part in Part().Matches(rest))
        {
            if (!double.TryParse(part.Groups["n"].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
            ticks += number * part.Groups["u"].Value switch
            {
                "h" => TimeSpan.TicksPerHour,
                "m" => TimeSpan.TicksPerMinute,
                "s" => TimeSpan.TicksPerSecond,
                "ms" => TimeSpan.TicksPerMillisecond,
                "us" or "\u00b5s" => TimeSpan.TicksPerMicrosecond,
                _ => 0.01,
            };
        }

        if (ticks > long.MaxValue / 2) return false;
        span = TimeSpan.FromTicks((long)(text[0] == '-' ? -ticks : ticks));
        return true;
    }

    [GeneratedRegex("^([0-9]+(\\.[0-9]*)?(ns|us|\u00b5s|ms|s|m|h))+\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Whole();

    [GeneratedRegex("(?<n>[0-9]+(\\.[0-9]*)?)(?<u>ns|us|\u00b5s|ms|s|m|h)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Part();
}
