using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Tables;

/// <summary>Durations as kubectl prints ages: two units at most, coarser with age.</summary>
public static class HumanDuration
{
    public static string Of(TimeSpan span)
    {
        var seconds = (long)span.TotalSeconds;
        if (seconds < -1) return "<invalid>";
        if (seconds < 0) return "0s";
        if (seconds < 120) return Text(seconds, 's');
        var minutes = seconds / 60;
        if (minutes < 10) return Two(minutes, 'm', seconds % 60, 's');
        if (minutes < 180) return Text(minutes, 'm');
        var hours = minutes / 60;
        if (hours < 8) return Two(hours, 'h', minutes % 60, 'm');
        if (hours < 48) return Text(hours, 'h');
        if (hours < 24 * 8) return Two(hours / 24, 'd', hours % 24, 'h');
        if (hours < 24 * 365 * 2) return Text(hours / 24, 'd');
        return hours < 24 * 365 * 8 ? Two(hours / 24 / 365, 'y', hours / 24 % 365, 'd') : Text(hours / 24 / 365, 'y');
    }

    /// <summary>The time since a timestamp; <c>&lt;unknown&gt;</c> where there is none.</summary>
    public static string Since(JsonNode? timestamp, DateTimeOffset now) =>
        Scalars.TryTime(timestamp.Str(), out var time) ? Of(now - time) : "<unknown>";

    private static string Two(long big, char bigUnit, long small, char smallUnit) => small == 0 ? Text(big, bigUnit) : Text(big, bigUnit) + Text(small, smallUnit);

    private static string Text(long value, char unit) => value.ToString(CultureInfo.InvariantCulture) + unit;
}
