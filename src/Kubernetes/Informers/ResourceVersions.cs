using System.Globalization;

namespace Opt.Kubernetes;

/// <summary>Order of resource versions. Kubernetes promises since 1.35 that those of one resource are ordered whole numbers.</summary>
public static class ResourceVersions
{
    /// <summary>Negative, zero or positive like a comparison; null if one of them is not a number, as some aggregated servers' are.</summary>
    public static int? Compare(string left, string right) =>
        ulong.TryParse(left, NumberStyles.None, CultureInfo.InvariantCulture, out var l) && ulong.TryParse(right, NumberStyles.None, CultureInfo.InvariantCulture, out var r)
            ? l.CompareTo(r)
            : null;

    /// <summary>True if a reader that has reached <paramref name="held"/> has seen <paramref name="wanted"/>.</summary>
    public static bool Reached(string held, string wanted) => Compare(held, wanted) is { } order ? order >= 0 : held == wanted;
}
