namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>What a resource URL names. Built by <see cref="TryParse"/> from <c>/api/v1/...</c> and <c>/apis/GROUP/VERSION/...</c>.</summary>
public sealed record RequestPath(string Group, string Version, string Plural, string? Namespace, string? Name, string? Subresource)
{
    /// <summary>The legacy <c>/watch/</c> prefix was used.</summary>
    public bool Watches { get; private init; }

    /// <summary>False when the path is not that of a resource (discovery, health, anything else).</summary>
    public static bool TryParse(string path, out RequestPath parsed)
    {
        parsed = null!;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        int prefix;
        if (parts is ["api", _, _, ..]) prefix = 2;
        else if (parts is ["apis", _, _, _, ..]) prefix = 3;
        else return false;
        var (group, version) = (prefix == 2 ? "" : parts[1], parts[prefix - 1]);
        ReadOnlySpan<string> rest = parts.AsSpan(prefix);
        var watches = rest[0] == "watch" && rest.Length > 1;
        if (watches) rest = rest[1..];
        parsed = Resource(group, version, rest) with { Watches = watches };
        return true;
    }

    private static RequestPath Resource(string group, string version, ReadOnlySpan<string> rest)
    {
        string? ns = null;
        // namespaces/NAME/status and /finalize are subresources of the namespace; anything else below it lives in it.
        if (rest.Length > 2 && rest[0] == "namespaces" && !(rest.Length == 3 && rest[2] is "status" or "finalize"))
        {
            ns = Uri.UnescapeDataString(rest[1]);
            rest = rest[2..];
        }

        var name = rest.Length > 1 ? Uri.UnescapeDataString(rest[1]) : null;
        return new RequestPath(group, version, rest[0], ns, name, rest.Length > 2 ? string.Join('/', rest[2..].ToArray()) : null);
    }
}
