using System.Runtime.InteropServices;

namespace Opt.Trainer.Stores;

/// <summary>Says what an I/O error means for someone who runs a job.</summary>
internal static class DirectoryFaults
{
    public static StoreException Explain(string root, string name, int errno) => Explain(root, name, errno, Marshal.GetPInvokeErrorMessage(errno), null);

    public static StoreException Explain(string root, string name, Exception error) => error switch
    {
        StoreException store => store,
        FileNotFoundException or DirectoryNotFoundException => new(StoreFault.NotFound, $"{root}: {name} does not exist", error),
        UnauthorizedAccessException => new(StoreFault.Denied, $"{root}: no permission for {name}; check the owner and mode of the volume ({error.Message})", error),
        IOException io => Explain(root, name, io.HResult, io.Message, io),
        _ => new(StoreFault.Permanent, $"{root}: {name}: {error.Message}", error),
    };

    private static StoreException Explain(string root, string name, int errno, string text, Exception? inner) => errno switch
    {
        Posix.ENOENT => new(StoreFault.NotFound, $"{root}: {name} does not exist", inner),
        Posix.ENOSPC => new(StoreFault.Full, $"{root}: no space left for {name}; enlarge the volume or lower checkpoint.keep", inner),
        Posix.EDQUOT => new(StoreFault.Full, $"{root}: disk quota exceeded by {name}; raise it or lower checkpoint.keep", inner),
        Posix.EROFS => new(StoreFault.ReadOnly, $"{root}: the file system is read-only; {name} cannot be written. Mount the volume with readOnly: false", inner),
        Posix.EPERM or Posix.EOPNOTSUPP or Posix.EXDEV or Posix.EMLINK =>
            new(StoreFault.Permanent, $"{root}: this file system cannot make hard links ({text}), which commits rely on; use another volume or azureBlob", inner),
        Posix.EIO or Posix.ESTALE or Posix.ETIMEDOUT => new(StoreFault.Transient, $"{root}: {name}: {text}", inner),
        _ => new(StoreFault.Permanent, $"{root}: {name}: {text}", inner),
    };
}
