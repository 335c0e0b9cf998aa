using Microsoft.Win32.SafeHandles;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary>An open file as an object's content.</summary>
internal sealed class FileContent(SafeFileHandle file) : IObjectContent
{
    public long Length { get; } = RandomAccess.GetLength(file);

    public void Read(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(file, destination, offset);
            if (read == 0) throw new IOException("the file became shorter while it was read");
            destination = destination[read..];
            offset += read;
        }
    }
}
