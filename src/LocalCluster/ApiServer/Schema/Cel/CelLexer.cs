using System.Globalization;
using System.Text;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

internal enum CelTokenKind { End, Identifier, Literal, Symbol }

/// <summary>One token; a literal carries its value.</summary>
internal readonly record struct CelToken(CelTokenKind Kind, string Text, object? Value, int Position)
{
    public bool Is(string symbol) => Kind == CelTokenKind.Symbol && Text == symbol;
}

/// <summary>Splits an expression into tokens.</summary>
internal sealed class CelLexer(string text)
{
    private static readonly string[] Symbols = ["==", "!=", "<=", ">=", "&&", "||", "[?", ".?", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "+", "*", "/", "%", "<", ">"];
    private int _at;

    public List<CelToken> All()
    {
        var tokens = new List<CelToken>();
        while (true)
        {
            var token = Next();
            tokens.Add(token);
            if (token.Kind == CelTokenKind.End) return tokens;
        }
    }

    private CelToken Next()
    {
        SkipSpace();
        if (_at == text.Length) return new(CelTokenKind.End, "", null, _at);
        var start = _at;
        if (StringPrefix() is { } prefix) return new(CelTokenKind.Literal, "", Text(prefix), start);
        if (char.IsAsciiDigit(text[_at]) || text[_at] == '.' && _at + 1 < text.Length && char.IsAsciiDigit(text[_at + 1])) return new(CelTokenKind.Literal, "", Number(), start);
        if (char.IsAsciiLetter(text[_at]) || text[_at] == '_') return Word(start);
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(text, _at, symbol, 0, symbol.Length) != 0) continue;
            _at += symbol.Length;
            return new(CelTokenKind.Symbol, symbol, null, start);
        }

        throw new CelSyntaxException($"token recognition error at: '{text[_at]}'", _at);
    }

    private void SkipSpace()
    {
        while (_at < text.Length)
        {
            if (char.IsWhiteSpace(text[_at])) _at++;
            else if (string.CompareOrdinal(text, _at, "//", 0, 2) == 0) while (_at < text.Length && text[_at] != '\n') _at++;
            else return;
        }
    }

    private CelToken Word(int start)
    {
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_')) _at++;
        var word = text[start.._at];
        return word switch
        {
            "true" => new(CelTokenKind.Literal, word, true, start),
            "false" => new(CelTokenKind.Literal, word, false, start),
            "null" => new(CelTokenKind.Literal, word, null, start),
            "in" => new(CelTokenKind.Symbol, word, null, start),
            _ => new(CelTokenKind.Identifier, word, null, start),
        };
    }

    private object Number()
    {
        var start = _at;
        if (text[_at] == '0' && _at + 1 < text.Length && text[_at + 1] is 'x' or 'X') return Hex();
        while (_at < text.Length && char.IsAsciiDigit(text[_at])) _at++;
        var real = false;
        if (_at + 1 < text.Length && text[_at] == '.' && char.IsAsciiDigit(text[_at + 1]))
        {
            real = true;
            _at++;
            while (_at < text.Length && char.IsAsciiDigit(text[_at])) _at++;
        }

        if (_at < text.Length && text[_at] is 'e' or 'E')
        {
            real = true;
            _at++;
            if (_at < text.Length && text[_at] is '+' or '-') _at++;
            while (_at < text.Length && char.IsAsciiDigit(text[_at])) _at++;
        }

        var digits = text.AsSpan(start, _at - start);
        if (real) return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw new CelSyntaxException("invalid double literal", start);
        return Whole(digits, NumberStyles.None, start);
    }

    private object Hex()
    {
        var start = _at;
        _at += 2;
        while (_at < text.Length && char.IsAsciiHexDigit(text[_at])) _at++;
        return Whole(text.AsSpan(start + 2, _at - start - 2), NumberStyles.AllowHexSpecifier, start);
    }

    // A literal may be one beyond the largest integer, when a minus follows: the parser folds it.
    private object Whole(ReadOnlySpan<char> digits, NumberStyles style, int start)
    {
        if (!ulong.TryParse(digits, style, CultureInfo.InvariantCulture, out var value)) throw new CelSyntaxException("invalid int literal", start);
        if (_at < text.Length && text[_at] is 'u' or 'U')
        {
            _at++;
            return value;
        }

        return value <= long.MaxValue ? (long)value : value == 9223372036854775808 ? CelParser.MinMagnitude : throw new CelSyntaxException("invalid int literal", start);
    }

    // The length and flags of a string's opening (r, b, quotes), or null when none begins here.
    private (bool Raw, bool Bytes, string Quote, int Length)? StringPrefix()
    {
        var (at, raw, bytes) = (_at, false, false);
        while (at < text.Length && at < _at + 2 && char.ToLowerInvariant(text[at]) is 'r' or 'b')
        {
            raw |= char.ToLowerInvariant(text[at]) == 'r';
            bytes |= char.ToLowerInvariant(text[at]) == 'b';
            at++;
        }

        if (at >= text.Length || text[at] is not ('"' or '\'')) return null;
        var quote = text[at].ToString();
        var three = new string(text[at], 3);
        if (string.CompareOrdinal(text, at, three, 0, 3) == 0) quote = three;
        return (raw, bytes, quote, at - _at + quote.Length);
    }

    private object Text((bool Raw, bool Bytes, string Quote, int Length) prefix)
    {
        var start = _at;
        _at += prefix.Length;
        var value = new StringBuilder();
        while (string.CompareOrdinal(text, _at, prefix.Quote, 0, prefix.Quote.Length) != 0)
        {
            if (_at >= text.Length || prefix.Quote.Length == 1 && text[_at] is '\n' or '\r') throw new CelSyntaxException("unterminated string", start);
            if (text[_at] == '\\' && !prefix.Raw) Escape(value, start);
            else value.Append(text[_at++]);
        }

        _at += prefix.Quote.Length;
        return prefix.Bytes ? Encoding.UTF8.GetBytes(value.ToString()) : value.ToString();
    }

    private void Escape(StringBuilder value, int start)
    {
        var c = _at + 1 < text.Length ? text[_at + 1] : throw new CelSyntaxException("unterminated string", start);
        _at += 2;
        switch (c)
        {
            case 'n': value.Append('\n'); break;
            case 't': value.Append('\t'); break;
            case 'r': value.Append('\r'); break;
            case 'a': value.Append('\a'); break;
            case 'b': value.Append('\b'); break;
            case 'f': value.Append('\f'); break;
            case 'v': value.Append('\v'); break;
            case '\\' or '"' or '\'' or '`' or '?': value.Append(c); break;
            case 'x' or 'X': Code(value, 2, 16, start); break;
            case 'u': Code(value, 4, 16, start); break;
            case 'U': Code(value, 8, 16, start); break;
            case >= '0' and <= '3':
                _at--;
                Code(value, 3, 8, start);
                break;
            default: throw new CelSyntaxException($"unknown escape \\{c}", start);
        }
    }

    private void Code(StringBuilder value, int digits, int radix, int start)
    {
        if (_at + digits > text.Length) throw new CelSyntaxException("unterminated string", start);
        var code = 0;
        foreach (var digit in text.AsSpan(_at, digits))
        {
            if (!char.IsAsciiHexDigit(digit) || radix == 8 && digit is < '0' or > '7' || code > 0x10ffff) throw new CelSyntaxException("invalid escape", start);
            code = code * radix + Convert.ToInt32(digit.ToString(), 16);
        }

        if (!Rune.IsValid(code)) throw new CelSyntaxException("invalid unicode code point", start);
        value.Append(new Rune(code).ToString());
        _at += digits;
    }
}
