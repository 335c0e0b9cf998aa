using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Selectors;

/// <summary>Recursive descent over the query form of label selectors; every refusal is worded as kubectl users know it.</summary>
internal sealed class LabelSelectorParser(string text)
{
    private enum Token { End, Identifier, Comma, Open, Close, Not, Equal, DoubleEqual, NotEqual, Greater, Less, In, NotIn, Error }

    private static readonly Dictionary<string, Token> Symbols = new(StringComparer.Ordinal)
    {
        [","] = Token.Comma, ["("] = Token.Open, [")"] = Token.Close, ["!"] = Token.Not, ["="] = Token.Equal, ["=="] = Token.DoubleEqual,
        ["!="] = Token.NotEqual, [">"] = Token.Greater, ["<"] = Token.Less,
    };

    private int _at;

    public LabelSelector Parse()
    {
        var requirements = ImmutableArray.CreateBuilder<LabelRequirement>();
        while (true)
        {
            var (token, literal) = Peek();
            if (token == Token.End) return new LabelSelector(Sorted(requirements));
            if (token is not (Token.Identifier or Token.Not)) throw Found(literal, "!, identifier, or 'end of string'");
            requirements.Add(Requirement());
            (token, literal) = Next();
            if (token == Token.End) return new LabelSelector(Sorted(requirements));
            if (token != Token.Comma) throw Found(literal, "',' or 'end of string'");
            (token, literal) = Peek();
            if (token is not (Token.Identifier or Token.Not)) throw Found(literal, "identifier after ','");
        }
    }

    private static ImmutableArray<LabelRequirement> Sorted(ImmutableArray<LabelRequirement>.Builder requirements) =>
        [.. requirements.OrderBy(r => r.Key, StringComparer.Ordinal)];

    private LabelRequirement Requirement()
    {
        try
        {
            var (key, only) = Key();
            if (only is { } exists) return new LabelRequirement(key, exists, []);
            var comparison = Operator();
            ImmutableArray<string> values = comparison is LabelOperator.In or LabelOperator.NotIn ? Set() : [Exact()];
            Check(key, comparison, values);
            return new LabelRequirement(key, comparison, values);
        }
        catch (SelectorException e)
        {
            throw new SelectorException($"unable to parse requirement: {e.Message}");
        }
    }

    private (string Key, LabelOperator? Only) Key()
    {
        var (token, literal) = Next();
        var not = token == Token.Not;
        if (not) (token, literal) = Next();
        if (token != Token.Identifier) throw Found(literal, "identifier");
        if (ObjectMeta.QualifiedNameError(literal) is { } bad) throw new SelectorException(FieldError.Invalid("key", JsonValue.Create(literal), bad).ToString());
        if (not) return (literal, LabelOperator.DoesNotExist);
        return (literal, Peek().Token is Token.End or Token.Comma ? LabelOperator.Exists : null);
    }

    private LabelOperator Operator()
    {
        var (token, literal) = Next(keywords: true);
        return token switch
        {
            Token.In => LabelOperator.In,
            Token.NotIn => LabelOperator.NotIn,
            Token.Equal or Token.DoubleEqual => LabelOperator.Equals,
            Token.NotEqual => LabelOperator.NotEquals,
            Token.Greater => LabelOperator.GreaterThan,
            Token.Less => LabelOperator.LessThan,
            _ => throw Found(literal, "in, notin, =, ==, !=, gt, lt"),
        };
    }

    private ImmutableArray<string> Set()
    {
        var (token, literal) = Next();
        if (token != Token.Open) throw new SelectorException($"found '{literal}' expected: '('");
        var values = ImmutableArray.CreateBuilder<string>();
        var wantValue = true;
        while (true)
        {
            (token, literal) = Next();
            if (token == Token.Close)
            {
                if (wantValue) values.Add("");
                return [.. values.Distinct()];
            }

            if (token == Token.Comma)
            {
                if (wantValue) values.Add("");
                wantValue = true;
            }
            else if (token == Token.Identifier && wantValue)
            {
                values.Add(literal);
                wantValue = false;
            }
            else
            {
                throw Found(literal, wantValue ? "',', ')' or identifier" : "',' or ')'");
            }
        }
    }

    private string Exact()
    {
        if (Peek().Token is Token.End or Token.Comma) return "";
        var (token, literal) = Next();
        return token == Token.Identifier ? literal : throw Found(literal, "identifier");
    }

    private static void Check(string key, LabelOperator comparison, ImmutableArray<string> values)
    {
        if (comparison is LabelOperator.GreaterThan or LabelOperator.LessThan &&
            !long.TryParse(values[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _))
        {
            throw new SelectorException(FieldError.Invalid("values[0]", JsonValue.Create(values[0]), "for 'Gt', 'Lt' operators, the value must be an integer").ToString());
        }

        for (var i = 0; i < values.Length; i++)
        {
            if (ObjectMeta.LabelValueError(values[i]) is { } bad) throw new SelectorException(FieldError.Invalid($"values[{i}][{key}]", JsonValue.Create(values[i]), bad).ToString());
        }
    }

    private static SelectorException Found(string literal, string expected) => new($"found '{literal}', expected: {expected}");

    private (Token Token, string Literal) Peek()
    {
        var before = _at;
        var next = Next();
        _at = before;
        return next;
    }

    private (Token Token, string Literal) Next(bool keywords = false)
    {
        while (_at < text.Length && text[_at] is ' ' or '\t' or '\r' or '\n') _at++;
        if (_at == text.Length) return (Token.End, "");
        var start = _at;
        if (IsSymbol(text[_at]))
        {
            // The longest known symbol wins: "===" is "==" and "=".
            var length = _at + 1 < text.Length && Symbols.ContainsKey(text.Substring(_at, 2)) ? 2 : 1;
            _at += length;
            var symbol = text.Substring(start, length);
            return (Symbols.GetValueOrDefault(symbol, Token.Error), symbol);
        }

        while (_at < text.Length && !IsSymbol(text[_at]) && text[_at] is not (' ' or '\t' or '\r' or '\n')) _at++;
        var literal = text[start.._at];
        return (keywords && literal == "in" ? Token.In : keywords && literal == "notin" ? Token.NotIn : Token.Identifier, literal);
    }

    private static bool IsSymbol(char c) => c is '=' or '!' or '(' or ')' or ',' or '>' or '<';
}
