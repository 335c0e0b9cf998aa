using System.Runtime.InteropServices;
using Opt.Testing;
using Xunit;

namespace Opt.Layout;

/// <summary>
/// Runs the programs inside the root file systems that <c>make images</c> left, as a container engine would: as user 65532, with the root
/// file system read-only and no home. Skipped where no image was built.
/// </summary>
public sealed class ImageTests
{
    [Fact]
    public async Task The_operator_runs_in_its_image_without_a_writable_file_or_a_privilege()
    {
        var help = (await InsideAsync("opt-operator", "/usr/local/bin/opt-operator", "--help")).Succeeded();

        Assert.Contains("run", help, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_trainer_runs_in_its_image_without_a_writable_file_or_a_privilege()
    {
        var help = (await InsideAsync("opt-trainer", "/opt/opt-trainer/opt-trainer", "--help")).Succeeded();

        Assert.Contains("agent", help, StringComparison.Ordinal);
    }

    [Fact]
    public void The_operator_image_adds_less_than_60_MB_to_its_base() =>
        Assert.InRange(Megabytes("opt-operator") - Megabytes("base"), 1, 60);

    private static Task<CommandResult> InsideAsync(string image, string program, params string[] arguments)
    {
        var root = RootOf(image);
        var script = $"mount --bind {root} {root} && mount -o remount,bind,ro {root} && mount --bind /dev {root}/dev && mount -t proc proc {root}/proc && exec chroot --userspec=65532:65532 {root} \"$@\"";
        return Command.RunAsync("unshare", ["--mount", "--pid", "--fork", "--", "sh", "-c", script, "sh", "env", "-i", "DOTNET_EnableDiagnostics=0", program, .. arguments]);
    }

    private static long Megabytes(string image) => Size(new DirectoryInfo(RootOf(image))) >> 20;

    private static long Size(DirectoryInfo folder) =>
        folder.EnumerateFiles().Where(f => f.LinkTarget is null).Sum(f => f.Length) + folder.EnumerateDirectories().Where(d => d.LinkTarget is null).Sum(Size);

    private static string RootOf(string image)
    {
        var note = Repo.PathOf("artifacts", "images", image + ".rootfs");
        Assert.SkipUnless(File.Exists(note), $"no image {image} here; `make images` builds it (buildah, as root)");
        var root = File.ReadAllText(note).Trim();
        Assert.SkipUnless(Directory.Exists(root), $"the root file system of {image} is gone; `make images` builds it again");
        Assert.SkipUnless(RuntimeInformation.IsOSPlatform(OSPlatform.Linux) && Environment.UserName == "root", "needs root to enter a root file system");
        return root;
    }
}
