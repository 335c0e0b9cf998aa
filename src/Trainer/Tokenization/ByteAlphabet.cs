namespace Opt.Trainer.Tokenization;

/// <summary>
/// GPT-2's printable stand-ins for bytes: printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 onwards in order
/// (openai/gpt-2 encoder.py, bytes_to_unicode).
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] ToChar = Build();
    private static readonly Dictionary<char, byte> ToByte = ToChar.Select((c, b) => (c, b)).ToDictionary(p => p.c, p => (byte)p.b);

    public static char Encode(byte value) => ToChar[value];

    /// <summary>The bytes a token's text stands for; false when a character is none of the stand-ins.</summary>
    public static bool TryDecode(string token, out byte[] bytes)
    {
        bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            if (!ToByte.TryGetValue(token[i], out bytes[i])) return false;
        }

        return true;
    }

    private static char[] Build()
    {
        var table = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            table[b] = printable ? (char)b : (char)next++;
        }

        return table;
    }
}
