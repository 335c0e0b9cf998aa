using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary>
/// A store as people write it: a folder, or the URL of a blob container with an optional folder in it
/// (<c>https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER</c>, or <c>http://HOST:PORT/ACCOUNT/CONTAINER/FOLDER</c> for Azurite).
/// </summary>
public static class StoreAddress
{
    /// <exception cref="FormatException">A URL that names no account and container.</exception>
    public static StoreSpec Parse(string text)
    {
        var isUrl = text.StartsWith("http://", StringComparison.Ordinal) || text.StartsWith("https://", StringComparison.Ordinal);
        if (!isUrl) return new() { Directory = new() { Path = Path.GetFullPath(text) } };
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url)) throw Wrong(text);
        var segments = url.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var byHost = url.HostNameType == UriHostNameType.Dns && url.Host.Contains(".blob.", StringComparison.Ordinal);
        var (account, rest) = byHost ? (url.Host.Split('.')[0], segments) : (segments.FirstOrDefault() ?? throw Wrong(text), segments[1..]);
        if (rest.Length == 0) throw Wrong(text);
        var endpoint = url.GetLeftPart(UriPartial.Authority) + (byHost ? "" : $"/{account}");
        return new() { AzureBlob = new() { Account = account, Container = rest[0], Prefix = string.Join('/', rest[1..]), Endpoint = endpoint } };
    }

    private static FormatException Wrong(string text) =>
        new($"\"{text}\" is not a store: give a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER[/FOLDER] or http://HOST:PORT/ACCOUNT/CONTAINER[/FOLDER]");
}
