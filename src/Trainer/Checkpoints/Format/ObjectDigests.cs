using System.Security.Cryptography;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>Computes an <see cref="ObjectRecord"/>.</summary>
internal static class ObjectDigests
{
    private const int SmallestChunk = 1 << 20, LargestChunk = 64 << 20, ChunksWanted = 32;

    /// <summary>About 32 chunks an object, so that a thousand objects' digests stay within 1.5 MB of manifest; 1 to 64 MiB each.</summary>
    public static int ChunkBytesFor(long bytes)
    {
        var chunk = (long)SmallestChunk;
        while (chunk < LargestChunk && chunk * ChunksWanted < bytes) chunk *= 2;
        return (int)chunk;
    }

    public static ObjectRecord Of(string name, IObjectContent content, CancellationToken ct)
    {
        const int Step = 1 << 20;
        var chunkBytes = ChunkBytesFor(content.Length);
        var chunks = new byte[(content.Length + chunkBytes - 1) / chunkBytes * SHA256.HashSizeInBytes];
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(Step, content.Length));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long offset = 0; offset < content.Length;)
        {
            ct.ThrowIfCancellationRequested();
            var part = buffer.AsSpan(0, (int)Math.Min(Step, content.Length - offset));
            content.Read(offset, part);
            hash.AppendData(part);
            offset += part.Length;
            if (offset % chunkBytes == 0 || offset == content.Length) hash.GetHashAndReset(chunks.AsSpan((int)((offset - 1) / chunkBytes) * SHA256.HashSizeInBytes));
        }

        return new() { Name = name, Bytes = content.Length, ChunkBytes = chunkBytes, Chunks = chunks };
    }
}
