namespace Opt.LocalCluster.Kubelet.Images;

/// <summary>
/// Image names and the local programs they stand for. A path to a file is the image's entry point; a path to a directory is the image's root, with an executable
/// <c>entrypoint</c> in it, and absolute commands are looked for under the root first.
/// </summary>
public sealed class ImageStore
{
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);

    /// <exception cref="ArgumentException">A path does not exist.</exception>
    public ImageStore(IEnumerable<KeyValuePair<string, string>> images)
    {
        foreach (var (name, path) in images)
        {
            var full = Path.GetFullPath(path);
            if (!File.Exists(full) && !Directory.Exists(full)) throw new ArgumentException($"--image {name}={path}: there is no file or directory {full}");
            _paths[name] = full;
        }
    }

    /// <summary>The image of that exact name, or of the name without its tag or digest; null when it is not there.</summary>
    public LocalImage? Find(string name)
    {
        if (_paths.TryGetValue(name, out var path) || _paths.TryGetValue(WithoutTag(name), out path)) return new(name, path);
        return null;
    }

    public IEnumerable<string> Names => _paths.Keys;

    private static string WithoutTag(string name)
    {
        var at = name.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0) name = name[..at];
        var colon = name.LastIndexOf(':');
        return colon > name.LastIndexOf('/') ? name[..colon] : name;
    }
}
