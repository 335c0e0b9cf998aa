namespace Opt.Trainer.Stores;

/// <summary>Bytes in managed memory as an object's content.</summary>
public sealed class MemoryContent(ReadOnlyMemory<byte> bytes) : IObjectContent
{
    public long Length => bytes.Length;

    public void Read(long offset, Span<byte> destination) => bytes.Span.Slice(checked((int)offset), destination.Length).CopyTo(destination);
}
