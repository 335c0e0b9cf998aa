namespace Opt.LocalCluster.Kubelet.Volumes;

/// <summary>Where node paths of manifests really are on this machine: <c>--host-path PREFIX=REALPATH</c>. A path under no prefix is itself.</summary>
public sealed class HostPaths(IEnumerable<KeyValuePair<string, string>> prefixes)
{
    private readonly MountTable _table = new(prefixes.Select(p => (p.Key, Path.GetFullPath(p.Value))));

    public string Resolve(string path) => _table.Translate(path);
}
