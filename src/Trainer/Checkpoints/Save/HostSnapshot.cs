using System.Runtime.InteropServices;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// A rank's object in host memory: header, then the buffers. Memory is taken once, outside the managed heap, and used again by every
/// save. While a save is being uploaded nobody may capture into it.
/// </summary>
internal sealed unsafe class HostSnapshot(ShardFormat format, IReadOnlyList<StateBuffer> buffers) : IObjectContent, IDisposable
{
    private const nuint Alignment = 64;
    private byte* _data;

    public long Length => format.Header.FileBytes;

    /// <summary>Copies every buffer: the only part of a save that the next update of the state waits for.</summary>
    public void Capture()
    {
        if (_data is null) _data = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, format.Header.DataBytes), Alignment);
        for (var i = 0; i < buffers.Count; i++) buffers[i].Read(new Span<float>(_data + format.DataOffset(i), buffers[i].Length));
    }

    public void Read(long offset, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_data is null, this);
        if (offset < 0 || offset + destination.Length > Length) throw new ArgumentOutOfRangeException(nameof(offset));
        if (offset < format.HeaderBytes.Length)
        {
            var head = (int)Math.Min(destination.Length, format.HeaderBytes.Length - offset);
            format.HeaderBytes.AsSpan((int)offset, head).CopyTo(destination);
            destination = destination[head..];
            offset += head;
        }

        new ReadOnlySpan<byte>(_data + (offset - format.HeaderBytes.Length), destination.Length).CopyTo(destination);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
    }
}
