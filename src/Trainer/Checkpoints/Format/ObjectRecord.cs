using System.Security.Cryptography;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// One object of a checkpoint with its SHA-256 by chunks of equal size (the last one shorter), so that a reader that needs a part
/// verifies just that part.
/// </summary>
public sealed record ObjectRecord
{
    /// <summary>File name within the checkpoint's folder.</summary>
    public required string Name { get; init; }

    public required long Bytes { get; init; }
    public required int ChunkBytes { get; init; }

    /// <summary>SHA-256 of each chunk, 32 bytes each, one after the other; base64 in JSON.</summary>
    public required byte[] Chunks { get; init; }

    /// <summary>SHA-256 over <see cref="Chunks"/>, in hexadecimal: names the content.</summary>
    public string Digest => Convert.ToHexStringLower(SHA256.HashData(Chunks));

    public int ChunkCount => Chunks.Length / SHA256.HashSizeInBytes;

    /// <summary>Whether the record can be true at all: as many digests as chunks.</summary>
    public bool IsConsistent => Bytes >= 0 && ChunkBytes > 0 && Chunks.Length % SHA256.HashSizeInBytes == 0 && ChunkCount == (Bytes + ChunkBytes - 1) / ChunkBytes;

    /// <summary>Bytes of chunk <paramref name="index"/>.</summary>
    public int LengthOf(int index) => (int)Math.Min(ChunkBytes, Bytes - (long)index * ChunkBytes);

    /// <summary>Whether <paramref name="content"/> is chunk <paramref name="index"/>.</summary>
    public bool Verify(int index, ReadOnlySpan<byte> content)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, digest);
        return digest.SequenceEqual(Chunks.AsSpan(index * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes));
    }

    public bool Equals(ObjectRecord? other) =>
        other is not null && Name == other.Name && Bytes == other.Bytes && ChunkBytes == other.ChunkBytes && Chunks.AsSpan().SequenceEqual(other.Chunks);

    public override int GetHashCode() => HashCode.Combine(Name, Bytes, ChunkBytes, Digest);
}
