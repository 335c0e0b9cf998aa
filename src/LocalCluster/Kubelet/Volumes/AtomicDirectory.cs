using System.Globalization;
using System.Runtime.InteropServices;

namespace Opt.LocalCluster.Kubelet.Volumes;

/// <summary>A file of a projected volume.</summary>
internal sealed record ProjectedFile(byte[] Content, UnixFileMode Mode);

/// <summary>
/// A directory whose files change all at once, as the kubelet's atomic writer makes them: the files lie in a hidden folder of their own, the link <c>..data</c> points to
/// it and is replaced by rename, and what users see are links through <c>..data</c>.
/// </summary>
internal static partial class AtomicDirectory
{
    private const string Data = "..data";

    public static void Write(string path, IReadOnlyDictionary<string, ProjectedFile> files, DateTimeOffset now)
    {
        Directory.CreateDirectory(path);
        if (IsSame(path, files)) return;
        var old = new FileInfo(Path.Combine(path, Data)).LinkTarget;
        var fresh = $"..{now.UtcDateTime.ToString("yyyy_MM_dd_HH_mm_ss.fffffff", CultureInfo.InvariantCulture)}";
        foreach (var (name, file) in files) WriteFile(Path.Combine(path, fresh, name), file);
        Directory.CreateDirectory(Path.Combine(path, fresh));
        var link = Path.Combine(path, "..data_tmp");
        File.Delete(link);
        File.CreateSymbolicLink(link, fresh);
        Replace(link, Path.Combine(path, Data));
        LinkVisible(path, [.. files.Keys.Select(name => name.Split('/')[0])]);
        if (old is not null && old != fresh) Directory.Delete(Path.Combine(path, old), recursive: true);
    }

    private static void WriteFile(string path, ProjectedFile file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = file.Mode });
        stream.Write(file.Content);
    }

    private static void LinkVisible(string path, HashSet<string> names)
    {
        foreach (var name in names)
        {
            var visible = Path.Combine(path, name);
            if (!File.Exists(visible) && !Directory.Exists(visible)) File.CreateSymbolicLink(visible, Path.Combine(Data, name));
        }

        foreach (var entry in new DirectoryInfo(path).EnumerateFileSystemInfos().Where(e => !e.Name.StartsWith("..", StringComparison.Ordinal) && !names.Contains(e.Name)))
        {
            entry.Delete();
        }
    }

    // File.Move refuses a link to a directory; rename(2) swaps it in one step.
    private static void Replace(string from, string to)
    {
        if (Rename(from, to) != 0) throw new IOException($"rename {from} to {to}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
    }

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Rename(string from, string to);

    private static bool IsSame(string path, IReadOnlyDictionary<string, ProjectedFile> files)
    {
        var current = Path.Combine(path, Data);
        if (!Directory.Exists(current)) return false;
        var there = Directory.EnumerateFiles(current, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(current, file)).ToHashSet();
        return there.SetEquals(files.Keys) && files.All(file => File.ReadAllBytes(Path.Combine(current, file.Key)).AsSpan().SequenceEqual(file.Value.Content));
    }
}
