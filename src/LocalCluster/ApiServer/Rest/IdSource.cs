namespace Opt.LocalCluster.ApiServer.Rest;

/// <summary>Generates uids and name suffixes. With a seed, the same ones every time.</summary>
public sealed class IdSource(int? seed = null)
{
    private const string Alphabet = "bcdfghjklmnpqrstvwxz2456789";   // no vowels: no words
    private readonly Random _random = seed is { } s ? new Random(s) : new Random();
    private readonly Lock _gate = new();

    public string Uid()
    {
        Span<byte> bytes = stackalloc byte[16];
        lock (_gate) _random.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }

    public string Suffix()
    {
        Span<char> text = stackalloc char[5];
        lock (_gate)
        {
            foreach (ref var c in text) c = Alphabet[_random.Next(Alphabet.Length)];
        }

        return new string(text);
    }
}
