using System.Collections.Immutable;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>An expression of the Common Expression Language, as parsed.</summary>
public abstract record CelExpr
{
    /// <summary>Where it stands in the text: of an operator or call, its sign.</summary>
    public int Position { get; init; }
}

/// <summary>A constant: null, bool, long, ulong, double, string or byte[].</summary>
public sealed record CelLiteral(object? Value) : CelExpr;

/// <summary>A variable.</summary>
public sealed record CelIdent(string Name) : CelExpr;

/// <summary><c>operand.field</c>; as a test (<c>has(operand.field)</c>) it asks whether the field is there; optional: <c>operand.?field</c>.</summary>
public sealed record CelSelect(CelExpr Operand, string Field, bool Test = false, bool Optional = false) : CelExpr;

/// <summary><c>operand[index]</c>, or <c>operand[?index]</c>.</summary>
public sealed record CelIndex(CelExpr Operand, CelExpr Index, bool Optional = false) : CelExpr;

/// <summary>A function or operator, with a receiver when it was called as a method. Operators have names such as <c>_+_</c>.</summary>
public sealed record CelCall(string Function, CelExpr? Target, ImmutableArray<CelExpr> Arguments) : CelExpr;

/// <summary><c>[a, b]</c>.</summary>
public sealed record CelList(ImmutableArray<CelExpr> Items) : CelExpr;

/// <summary><c>{k: v}</c>.</summary>
public sealed record CelMap(ImmutableArray<(CelExpr Key, CelExpr Value)> Entries) : CelExpr;

/// <summary>A macro over the elements of a list or the keys of a map: all, exists, exists_one, map, filter.</summary>
/// <param name="Second">The second variable (value or index) of the two-variable forms, or null.</param>
/// <param name="Condition">For map with three arguments: which elements; otherwise null.</param>
public sealed record CelMacro(string Name, CelExpr Range, string Variable, string? Second, CelExpr? Condition, CelExpr Body) : CelExpr;

/// <summary>The text is not an expression.</summary>
public sealed class CelSyntaxException(string message, int position) : Exception($"ERROR: <input>:1:{position + 1}: Syntax error: {message}")
{
    public int Position { get; } = position;

    /// <summary>The message without the place.</summary>
    public string Detail { get; } = $"Syntax error: {message}";
}

/// <summary>An expression failed while it was evaluated: no such key, overflow, no such overload, ...</summary>
public sealed class CelException(string message) : Exception(message);
