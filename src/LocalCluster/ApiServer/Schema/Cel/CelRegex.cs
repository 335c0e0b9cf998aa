using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>Regular expressions that run in linear time, like the RE2 ones they stand for; compiled once.</summary>
public static class CelRegex
{
    private const int MaxCached = 1000;
    private static readonly ConcurrentDictionary<string, Regex> Cache = new(StringComparer.Ordinal);

    /// <exception cref="CelException">The pattern is not a regular expression.</exception>
    public static Regex Of(string pattern)
    {
        if (Cache.TryGetValue(pattern, out var known)) return known;
        try
        {
            // In .NET a $ also matches before a final newline; in RE2 it does not.
            var regex = new Regex(EndOnly(pattern), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            if (Cache.Count < MaxCached) Cache[pattern] = regex;
            return regex;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new CelException($"error parsing regexp: {e.Message}");
        }
    }

    private static string EndOnly(string pattern) =>
        pattern.EndsWith('$') && (pattern.Length - 1 - pattern.AsSpan(0, pattern.Length - 1).TrimEnd('\\').Length) % 2 == 0 ? pattern[..^1] + "\\z" : pattern;
}
