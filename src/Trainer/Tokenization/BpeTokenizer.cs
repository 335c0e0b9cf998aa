using System.Text;

namespace Opt.Trainer.Tokenization;

/// <summary>Byte-level byte-pair encoding, equal to GPT-2's. One instance serves one thread: pieces already merged are remembered.</summary>
public sealed class BpeTokenizer(Vocabulary vocabulary)
{
    private const int RememberedPieces = 1 << 17;
    private readonly Dictionary<string, int[]> _remembered = [];

    /// <summary>The ids of a text. No special token is recognised and none is added.</summary>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 3 + 1);
        Encode(text, ids);
        return [.. ids];
    }

    /// <summary>Appends the ids of a text.</summary>
    public void Encode(ReadOnlySpan<char> text, List<int> ids)
    {
        var lookup = _remembered.GetAlternateLookup<ReadOnlySpan<char>>();
        while (!text.IsEmpty)
        {
            var length = PreTokenizer.Next(text);
            var piece = text[..length];
            text = text[length..];
            if (!lookup.TryGetValue(piece, out var merged))
            {
                merged = Merge(piece);
                if (length <= 64 && _remembered.Count < RememberedPieces) lookup[piece] = merged;
            }

            ids.AddRange(merged);
        }
    }

    /// <summary>The text of ids; bytes that are not UTF-8 become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids) bytes.AddRange(vocabulary.BytesOf(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private int[] Merge(ReadOnlySpan<char> piece)
    {
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(piece.Length)];
        var count = Encoding.UTF8.GetBytes(piece, bytes);
        var symbols = new int[count];
        for (var i = 0; i < count; i++) symbols[i] = vocabulary.ByteIds[bytes[i]];
        return count <= 32 ? MergeShort(symbols) : LongMerge.Run(symbols, vocabulary);
    }

    // Lowest rank first, leftmost among equals: a scan per merge, quadratic, which for words is faster than any queue.
    internal int[] MergeShort(int[] symbols)
    {
        var count = symbols.Length;
        while (true)
        {
            var (best, at, into) = (int.MaxValue, -1, 0);
            for (var i = 0; i + 1 < count; i++)
            {
                if (vocabulary.TryMerge(symbols[i], symbols[i + 1], out var rank, out var merged) && rank < best) (best, at, into) = (rank, i, merged);
            }

            if (at < 0) return symbols[..count];
            symbols[at] = into;
            symbols.AsSpan(at + 2, count - at - 2).CopyTo(symbols.AsSpan(at + 1));
            count--;
        }
    }
}
