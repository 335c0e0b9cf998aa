using System.Text;

namespace Opt.Trainer.Tokenization;

/// <summary>
/// Cuts text as GPT-2's pattern does:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c> (openai/gpt-2 encoder.py). Written out by hand because
/// .NET's expressions see UTF-16 units, so that letters beyond the basic plane would not be letters.
/// </summary>
internal static class PreTokenizer
{
    private enum Kind { End, Letter, Number, Space, Other }

    /// <summary>Length in UTF-16 units of the first piece of a non-empty text.</summary>
    public static int Next(ReadOnlySpan<char> text)
    {
        if (text[0] == '\'' && Contraction(text) is > 0 and var contraction) return contraction;
        var lead = text[0] == ' ' ? 1 : 0;
        var kind = KindAt(text[lead..], out var width);
        if (kind is Kind.Letter or Kind.Number or Kind.Other) return lead + Run(text[lead..], kind, width);
        return Whitespace(text);
    }

    private static int Contraction(ReadOnlySpan<char> text)
    {
        if (text.Length < 2) return 0;
        if (text[1] is 's' or 't' or 'm' or 'd') return 2;
        if (text.Length < 3) return 0;
        return text[1..3] is "re" or "ve" or "ll" ? 3 : 0;
    }

    private static int Run(ReadOnlySpan<char> text, Kind kind, int width)
    {
        var length = width;
        while (KindAt(text[length..], out width) == kind) length += width;
        return length;
    }

    // A run of whitespace leaves its last character to the word after it: \s+(?!\S) backs off by one.
    private static int Whitespace(ReadOnlySpan<char> text)
    {
        var length = 0;
        var last = 0;
        while (KindAt(text[length..], out var width) == Kind.Space)
        {
            length += width;
            last = width;
        }

        return length == text.Length || length == last ? length : length - last;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, out int width)
    {
        width = 1;
        if (text.IsEmpty) return Kind.End;
        var c = text[0];
        if (c < 128) return char.IsAsciiLetter(c) ? Kind.Letter : char.IsAsciiDigit(c) ? Kind.Number : c is ' ' or (>= '\t' and <= '\r') ? Kind.Space : Kind.Other;
        _ = Rune.DecodeFromUtf16(text, out var rune, out width);
        if (Rune.IsLetter(rune)) return Kind.Letter;
        if (Rune.IsNumber(rune)) return Kind.Number;
        return Rune.IsWhiteSpace(rune) ? Kind.Space : Kind.Other;
    }
}
