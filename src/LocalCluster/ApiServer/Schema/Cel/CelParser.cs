using System.Collections.Immutable;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>Parses expressions by precedence climbing, and expands the macros.</summary>
public sealed class CelParser
{
    internal static readonly object MinMagnitude = 9223372036854775808;   // only valid after a minus
    private const int MaxDepth = 200;
    private static readonly string[][] Levels = [["||"], ["&&"], ["==", "!=", "<", "<=", ">", ">=", "in"], ["+", "-"], ["*", "/", "%"]];
    private static readonly string[] Macros = ["all", "exists", "exists_one", "existsOne", "map", "filter"];
    private static readonly HashSet<string> Reserved = ["as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"];

    private readonly List<CelToken> _tokens;
    private int _at;
    private int _depth;

    private CelParser(List<CelToken> tokens) => _tokens = tokens;

    /// <exception cref="CelSyntaxException">The text is not an expression.</exception>
    public static CelExpr Parse(string text)
    {
        var parser = new CelParser(new CelLexer(text).All());
        var expression = parser.Ternary();
        return parser.Current.Kind == CelTokenKind.End ? expression : throw parser.Unexpected();
    }

    private CelToken Current => _tokens[_at];

    private CelExpr Ternary()
    {
        if (++_depth > MaxDepth) throw new CelSyntaxException("expression is nested too deeply", Current.Position);
        var condition = Binary(0);
        var position = Current.Position;
        if (Take("?"))
        {
            var yes = Binary(0);
            Expect(":");
            condition = new CelCall("_?_:_", null, [condition, yes, Ternary()]) { Position = position };
        }

        _depth--;
        return condition;
    }

    private CelExpr Binary(int level)
    {
        if (level == Levels.Length) return Unary();
        var left = Binary(level + 1);
        while (Current.Kind == CelTokenKind.Symbol && Levels[level].Contains(Current.Text))
        {
            var (name, position) = (Current.Text == "in" ? "@in" : $"_{Current.Text}_", Current.Position);
            _at++;
            left = new CelCall(name, null, [left, Binary(level + 1)]) { Position = position };
        }

        return left;
    }

    private CelExpr Unary()
    {
        if (++_depth > MaxDepth) throw new CelSyntaxException("expression is nested too deeply", Current.Position);
        CelExpr result;
        var position = Current.Position;
        if (Take("!")) result = new CelCall("!_", null, [Unary()]) { Position = position };
        else if (Take("-")) result = Negated() with { Position = position };
        else result = Member();
        _depth--;
        return result;
    }

    private CelExpr Negated()
    {
        if (Current.Kind != CelTokenKind.Literal) return new CelCall("-_", null, [Unary()]);
        switch (Current.Value)
        {
            case ulong when ReferenceEquals(Current.Value, MinMagnitude):
                _at++;
                return new CelLiteral(long.MinValue);
            case long or double:
                return Member() switch
                {
                    CelLiteral { Value: long whole } => new CelLiteral(-whole),
                    CelLiteral { Value: double real } => new CelLiteral(-real),
                    var other => new CelCall("-_", null, [other]),
                };
            default:
                return new CelCall("-_", null, [Unary()]);
        }
    }

    private CelExpr Member()
    {
        var result = Primary();
        while (true)
        {
            var position = Current.Position;
            if (Take(".?")) result = new CelSelect(result, Name(), Optional: true);
            else if (Take(".")) result = AfterDot(result);
            else if (Take("[?")) result = Index(result, optional: true);
            else if (Take("[")) result = Index(result, optional: false);
            else return result;
            if (result.Position == 0) result = result with { Position = position };
        }
    }

    private CelIndex Index(CelExpr operand, bool optional)
    {
        var index = Ternary();
        Expect("]");
        return new CelIndex(operand, index, optional);
    }

    private CelExpr AfterDot(CelExpr target)
    {
        var name = Name();
        var position = Current.Position;
        if (!Take("(")) return new CelSelect(target, name);
        var arguments = Arguments(")");
        if (Macros.Contains(name) && arguments.Length is 2 or 3 or 4 && arguments[0] is CelIdent variable) return Macro(name, target, variable.Name, arguments, position) with { Position = position };
        return new CelCall(name, target, arguments) { Position = position };
    }

    private static CelMacro Macro(string name, CelExpr range, string variable, ImmutableArray<CelExpr> arguments, int position) => (name, arguments.Length) switch
    {
        ("map", 3) => new CelMacro(name, range, variable, null, arguments[1], arguments[2]),
        (_, 2) => new CelMacro(name, range, variable, null, null, arguments[1]),
        ("all" or "exists" or "existsOne", 3) when arguments[1] is CelIdent second => new CelMacro(name, range, variable, second.Name, null, arguments[2]),
        _ => throw new CelSyntaxException($"invalid argument count for macro {name}", position),
    };

    private CelExpr Primary()
    {
        var token = Current;
        _at++;
        switch (token.Kind)
        {
            case CelTokenKind.Literal when ReferenceEquals(token.Value, MinMagnitude):
                throw new CelSyntaxException("invalid int literal", token.Position);
            case CelTokenKind.Literal:
                return new CelLiteral(token.Value) { Position = token.Position };
            case CelTokenKind.Identifier:
                return Identifier(token);
            case CelTokenKind.Symbol when token.Text == "(":
                var inner = Ternary();
                Expect(")");
                return inner;
            case CelTokenKind.Symbol when token.Text == "[":
                return new CelList(Arguments("]")) { Position = token.Position };
            case CelTokenKind.Symbol when token.Text == "{":
                return MapLiteral() with { Position = token.Position };
            case CelTokenKind.Symbol when token.Text == "." && Current.Kind == CelTokenKind.Identifier:
                return Primary();
            default:
                _at--;
                throw Unexpected();
        }
    }

    private CelExpr Identifier(CelToken token)
    {
        if (Reserved.Contains(token.Text)) throw new CelSyntaxException($"reserved identifier: {token.Text}", token.Position);
        var position = Current.Position;
        if (!Take("(")) return new CelIdent(token.Text) { Position = token.Position };
        var arguments = Arguments(")");
        if (token.Text != "has") return new CelCall(token.Text, null, arguments) { Position = position };
        return arguments is [CelSelect { Optional: false } select] ? select with { Test = true }
            : throw new CelSyntaxException("invalid argument to has() macro", token.Position);
    }

    private ImmutableArray<CelExpr> Arguments(string close)
    {
        var arguments = ImmutableArray.CreateBuilder<CelExpr>();
        while (!Take(close))
        {
            arguments.Add(Ternary());
            if (Take(close)) break;
            Expect(",");
        }

        return arguments.ToImmutable();
    }

    private CelMap MapLiteral()
    {
        var entries = ImmutableArray.CreateBuilder<(CelExpr, CelExpr)>();
        while (!Take("}"))
        {
            var key = Ternary();
            Expect(":");
            entries.Add((key, Ternary()));
            if (Take("}")) break;
            Expect(",");
        }

        return new CelMap(entries.ToImmutable());
    }

    // After a dot any word is a name, reserved or not; the lexer has made symbols and literals of some.
    private string Name()
    {
        var token = Current;
        if (token.Kind is not CelTokenKind.Identifier && token.Text is not ("in" or "true" or "false" or "null")) throw Unexpected();
        _at++;
        return token.Text;
    }

    private bool Take(string symbol)
    {
        if (!Current.Is(symbol)) return false;
        _at++;
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Take(symbol)) throw Unexpected();
    }

    private CelSyntaxException Unexpected() =>
        new(Current.Kind == CelTokenKind.End ? "mismatched input '<EOF>'" : $"extraneous input '{(Current.Text.Length > 0 ? Current.Text : Current.Value)}'", Current.Position);
}
