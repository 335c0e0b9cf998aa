using System.Security.Cryptography;
using System.Text;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// JSON followed by a line with its SHA-256: a small object that says itself whether it is whole. Bytes without such a line are taken as they
/// are (entries written before there was one).
/// </summary>
internal static class SealedJson
{
    private const int SealBytes = 2 + SHA256.HashSizeInBytes * 2;

    public static byte[] Seal(byte[] json) => [.. json, (byte)'\n', .. Digest(json), (byte)'\n'];

    /// <returns>False when the digest is not that of the bytes before it.</returns>
    public static bool TryOpen(byte[] bytes, out ReadOnlyMemory<byte> json)
    {
        json = bytes;
        if (bytes.Length < SealBytes || bytes[^1] != '\n' || bytes[^SealBytes] != '\n') return true;
        json = bytes.AsMemory(0, bytes.Length - SealBytes);
        return bytes.AsSpan(bytes.Length - SealBytes + 1, SealBytes - 2).SequenceEqual(Digest(json.Span));
    }

    private static byte[] Digest(ReadOnlySpan<byte> json) => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(json)));
}
