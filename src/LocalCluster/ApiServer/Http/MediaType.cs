namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>One media type of an Accept or Content-Type header, with its parameters.</summary>
public sealed record MediaType(string Name, IReadOnlyDictionary<string, string> Parameters)
{
    public string? Parameter(string name) => Parameters.GetValueOrDefault(name);

    /// <summary>Parses a comma-separated header in order of preference; malformed members are left out.</summary>
    public static IReadOnlyList<MediaType> ParseAll(string? header)
    {
        if (string.IsNullOrWhiteSpace(header)) return [];
        return [.. header.Split(',').Select(Parse).OfType<MediaType>()];
    }

    public static MediaType? Parse(string text)
    {
        var parts = text.Split(';', StringSplitOptions.TrimEntries);
        if (parts[0].Length == 0) return null;
        var parameters = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in parts[1..])
        {
            var equal = part.IndexOf('=', StringComparison.Ordinal);
            if (equal > 0) parameters[part[..equal].Trim()] = part[(equal + 1)..].Trim().Trim('"');
        }

        return new MediaType(parts[0].ToLowerInvariant(), parameters);
    }
}
