using System.Diagnostics;
using Opt.Testing;
using Xunit;

namespace Opt.Layout.Images;

/// <summary>
/// The root file system of an image that <c>make images</c> left, entered as a container engine would: as user 65532, the root file system
/// read-only, and one folder mounted at /mnt. Tests are skipped where no image was built.
/// </summary>
internal sealed class BuiltImage : IDisposable
{
    private readonly string _root;

    private BuiltImage(string root) => _root = root;

    /// <summary>What lies at /mnt; anybody may write there.</summary>
    public DirectoryInfo Mounted { get; } = Directory.CreateTempSubdirectory("opt-image-");

    public static BuiltImage Find(string name)
    {
        var image = new BuiltImage(RootOf(name));
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "needs root to enter a root file system");
        if (OperatingSystem.IsLinux()) File.SetUnixFileMode(image.Mounted.FullName, (UnixFileMode)0x1ff);   // 0777
        return image;
    }

    /// <summary>Sum of the sizes of all files, in bytes.</summary>
    public static long Bytes(string name) => Size(new DirectoryInfo(RootOf(name)));

    /// <summary>Runs a program to its end.</summary>
    public Task<CommandResult> RunAsync(params IReadOnlyList<string> command) => Command.RunAsync("unshare", Enter(command));

    /// <summary>Starts a program that goes on until it is killed; what it says is in the file "log" of <see cref="Mounted"/>.</summary>
    public Process Start(params IReadOnlyList<string> command) =>
        Process.Start("/bin/sh", ["-c", $"exec unshare \"$@\" >'{Path.Combine(Mounted.FullName, "log")}' 2>&1", "sh", .. Enter(command)]);

    public void Dispose() => Mounted.Delete(recursive: true);

    /// <summary>The read-only remount covers the root alone: what was mounted into it stays as it is.</summary>
    private string[] Enter(IReadOnlyList<string> command)
    {
        var script = $"mount --bind {_root} {_root} && mount --bind {Mounted.FullName} {_root}/mnt && mount --bind /dev {_root}/dev && mount -t proc proc {_root}/proc && mount -o remount,bind,ro {_root} && exec chroot --userspec=65532:65532 {_root} \"$@\"";
        // HOME: of a user without an entry in /etc/passwd, as engines set it.
        return ["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", script, "sh", "env", "-i", "DOTNET_EnableDiagnostics=0", "HOME=/", "TMPDIR=/mnt", .. command];
    }

    private static long Size(DirectoryInfo folder) =>
        folder.EnumerateFiles().Where(f => f.LinkTarget is null).Sum(f => f.Length) + folder.EnumerateDirectories().Where(d => d.LinkTarget is null).Sum(Size);

    private static string RootOf(string image)
    {
        var note = Repo.PathOf("artifacts", "images", image + ".rootfs");
        Assert.SkipUnless(File.Exists(note), $"no image {image} here; `make images` builds it (buildah, as root)");
        var root = File.ReadAllText(note).Trim();
        Assert.SkipUnless(Directory.Exists(root), $"the root file system of {image} is gone; `make images` builds it again");
        return root;
    }
}
