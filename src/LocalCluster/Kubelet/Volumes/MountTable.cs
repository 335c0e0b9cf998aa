namespace Opt.LocalCluster.Kubelet.Volumes;

/// <summary>
/// A container's mounts. Containers here share the host's file system, so a mount path is not really there: wherever it stands at the start of an argument or an
/// environment value (or after the first <c>=</c> of one), as whole path segments, the real directory is put in its place. This is the one thing that containers see differently
/// from a cluster.
/// </summary>
internal sealed class MountTable(IEnumerable<(string MountPath, string RealPath)> mounts)
{
    // Longest first, so that a mount inside another one wins.
    private readonly (string MountPath, string RealPath)[] _mounts =
        [.. mounts.Select(m => (m.MountPath.Length > 1 ? m.MountPath.TrimEnd('/') : m.MountPath, m.RealPath)).OrderByDescending(m => m.Item1.Length)];

    public string Translate(string text)
    {
        if (TranslatePath(text) is { } whole) return whole;
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals >= 0 && TranslatePath(text[(equals + 1)..]) is { } value ? string.Concat(text.AsSpan(0, equals + 1), value) : text;
    }

    private string? TranslatePath(string text)
    {
        foreach (var (mountPath, realPath) in _mounts)
        {
            if (!text.StartsWith(mountPath, StringComparison.Ordinal)) continue;
            if (text.Length == mountPath.Length) return realPath;
            if (text[mountPath.Length] == '/') return string.Concat(realPath, text.AsSpan(mountPath.Length));
        }

        return null;
    }
}
