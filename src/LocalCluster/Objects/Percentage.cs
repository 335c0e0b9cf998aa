using System.Globalization;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary><c>IntOrString</c> fields such as maxUnavailable: a number, or a percentage of a total.</summary>
internal static class Percentage
{
    public static int? Of(JsonNode? node, int total, bool roundUp)
    {
        if (node.Text() is not { } text) return null;
        if (!text.EndsWith('%')) return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
        if (!int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent)) return null;
        var share = (long)percent * total;
        return (int)(roundUp ? (share + 99) / 100 : share / 100);
    }
}
