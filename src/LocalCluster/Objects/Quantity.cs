using System.Globalization;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Objects;

/// <summary>Kubernetes resource quantities as decimals of their base unit: <c>100m</c> is 0.1, <c>1Ki</c> is 1024.</summary>
internal static class Quantity
{
    private static readonly (string Suffix, decimal Factor)[] Suffixes =
    [
        ("Ki", 1024m), ("Mi", 1048576m), ("Gi", 1073741824m), ("Ti", 1099511627776m), ("Pi", 1125899906842624m), ("Ei", 1152921504606846976m),
        ("n", 1e-9m), ("u", 1e-6m), ("m", 1e-3m), ("k", 1e3m), ("M", 1e6m), ("G", 1e9m), ("T", 1e12m), ("P", 1e15m), ("E", 1e18m),
    ];

    public static bool TryParse(string text, out decimal value)
    {
        // "E" may be an exponent (1E3) or exa (1E): a plain number, exponent included, is tried first.
        if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)) return true;
        foreach (var (suffix, factor) in Suffixes)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal)) continue;
            if (!decimal.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)) return false;
            value = number * factor;
            return true;
        }

        return false;
    }

    /// <summary>The quantity in a field, zero when it is missing or malformed (the API server has refused malformed ones).</summary>
    public static decimal Of(JsonNode? node) => node.Text() is { } text && TryParse(text, out var value) ? value : 0;

    public static string ToText(decimal value) => value.ToString("0.#########", CultureInfo.InvariantCulture);

    /// <summary>A resource list such as <c>limits</c> or <c>capacity</c>.</summary>
    public static IEnumerable<KeyValuePair<string, decimal>> List(JsonNode? list) =>
        (list as JsonObject)?.Select(entry => KeyValuePair.Create(entry.Key, Of(entry.Value))) ?? [];
}
