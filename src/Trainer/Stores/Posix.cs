using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Opt.Trainer.Stores;

/// <summary>The file system calls .NET has no name for. Each returns 0 or the errno.</summary>
internal static partial class Posix
{
    public const int EPERM = 1, ENOENT = 2, EEXIST = 17, EXDEV = 18, EROFS = 30, EMLINK = 31, ENOSPC = 28, EDQUOT = 122, EOPNOTSUPP = 95, EIO = 5, ESTALE = 116, ETIMEDOUT = 110;
    private const int O_RDONLY = 0, O_DIRECTORY = 0x10000, O_CLOEXEC = 0x80000;
    private const uint SYNC_FILE_RANGE_WRITE = 2;
    private const string LibC = "libc";

    /// <summary>link(2): gives <paramref name="existing"/> a second name unless that name is taken (EEXIST). Atomic, also over NFS.</summary>
    public static int Link(string existing, string name) => link(existing, name) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>fsync(2) of a folder: makes names created or removed in it durable.</summary>
    public static int SyncDirectory(string path)
    {
        var fd = open(path, O_RDONLY | (OperatingSystem.IsLinux() ? Directory : 0) | O_CLOEXEC);
        if (fd < 0) return Marshal.GetLastPInvokeError();
        var errno = fsync(fd) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = close(fd);
        return errno;
    }

    /// <summary>sync_file_range(2), of Linux alone: asks the kernel to begin writing dirty pages to the disk. A hint; what it cannot do the fsync at the end does.</summary>
    public static void BeginWriteback(SafeFileHandle file, long offset, long length)
    {
        if (OperatingSystem.IsLinux()) _ = sync_file_range(file, offset, length, SYNC_FILE_RANGE_WRITE);
    }

    // O_DIRECTORY differs on arm64, where the kernel kept another number.
    private static int Directory => RuntimeInformation.ProcessArchitecture is Architecture.Arm64 ? 0x4000 : O_DIRECTORY;

    [LibraryImport(LibC, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string existing, string name);

    [LibraryImport(LibC, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport(LibC)]
    private static partial int sync_file_range(SafeFileHandle fd, long offset, long nbytes, uint flags);

    [LibraryImport(LibC, SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport(LibC, SetLastError = true)]
    private static partial int close(int fd);
}
