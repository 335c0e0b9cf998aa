namespace Opt.LocalCluster.ApiServer.Schema.Cel.Typing;

/// <summary>Finds what cannot work before an expression ever runs: unknown names and fields, and operators on types they do not take.</summary>
/// <param name="text">The expression as written, for the messages.</param>
/// <param name="variables">The variables and their types.</param>
public sealed class CelChecker(string text, IReadOnlyDictionary<string, CelStaticType> variables)
{
    private static readonly HashSet<string> TypeNames = ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];
    private readonly List<string> _errors = [];

    /// <summary>One entry for each fault, worded and marked as cel-go does; empty when the expression can work.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>An error message with the place in the expression marked below it.</summary>
    public static string Mark(string text, int position, string message)
    {
        var at = Math.Clamp(position, 0, text.Length);
        var start = at == 0 ? 0 : text.LastIndexOf('\n', at - 1) + 1;
        var end = text.IndexOf('\n', start);
        var line = text.AsSpan(0, start).Count('\n') + 1;
        var column = at - start;
        return $"ERROR: <input>:{line}:{column + 1}: {message}\n | {text[start..(end < 0 ? text.Length : end)]}\n | {new string('.', column)}^";
    }

    /// <summary>The type of the whole expression; <see cref="CelStaticType.Dyn"/> where a fault hides it.</summary>
    public CelStaticType Check(CelExpr expression) => Check(expression, new Scope(null, "", CelStaticType.Dyn));

    private CelStaticType Check(CelExpr expression, Scope scope) => expression switch
    {
        CelLiteral literal => OfLiteral(literal.Value),
        CelIdent ident => Ident(ident, scope),
        CelSelect select => Select(select, scope),
        CelIndex index => Index(index, scope),
        CelList list => new CelStaticType.ListOf(Common(list.Items.Select(item => Check(item, scope)))),
        CelMap map => Map(map, scope),
        CelMacro macro => Macro(macro, scope),
        CelCall call => Call(call, scope),
        _ => CelStaticType.Dyn,
    };

    private static CelStaticType OfLiteral(object? value) => value switch
    {
        null => CelStaticType.Null,
        bool => CelStaticType.Bool,
        long => CelStaticType.Int,
        ulong => CelStaticType.UInt,
        double => CelStaticType.Double,
        string => CelStaticType.String,
        byte[] => CelStaticType.Bytes,
        _ => CelStaticType.Dyn,
    };

    private CelStaticType Ident(CelIdent ident, Scope scope)
    {
        if (scope.Find(ident.Name) is { } local) return local;
        if (variables.TryGetValue(ident.Name, out var type)) return type;
        return TypeNames.Contains(ident.Name) ? CelStaticType.Type : Fault(ident, $"undeclared reference to '{ident.Name}' (in container '')");
    }

    private CelStaticType Select(CelSelect select, Scope scope)
    {
        var operand = Check(select.Operand, scope);
        var chained = operand is CelStaticType.OptionalOf;
        if (operand is CelStaticType.OptionalOf optional) operand = optional.Value;
        var field = operand switch
        {
            CelStaticType.ObjectOf o => o.Fields.TryGetValue(select.Field, out var type) ? type : Fault(select, $"undefined field '{select.Field}'"),
            CelStaticType.MapOf map => map.Value,
            { IsDyn: true } => CelStaticType.Dyn,
            _ => Fault(select, $"type '{operand}' does not support field selection"),
        };
        return select.Test ? CelStaticType.Bool : select.Optional || chained ? new CelStaticType.OptionalOf(field) : field;
    }

    private CelStaticType Index(CelIndex index, Scope scope)
    {
        var (operand, key) = (Check(index.Operand, scope), Check(index.Index, scope));
        var chained = operand is CelStaticType.OptionalOf;
        if (operand is CelStaticType.OptionalOf optional) operand = optional.Value;
        var item = operand switch
        {
            CelStaticType.ListOf list when CelStaticType.Fits(key, CelStaticType.Int) => list.Item,
            CelStaticType.MapOf map when CelStaticType.Fits(key, map.Key) => map.Value,
            { IsDyn: true } => CelStaticType.Dyn,
            _ => Fault(index, $"found no matching overload for '_[_]' applied to '({operand}, {key})'"),
        };
        return index.Optional || chained ? new CelStaticType.OptionalOf(item) : item;
    }

    private CelStaticType.MapOf Map(CelMap map, Scope scope)
    {
        var entries = map.Entries.Select(e => (Key: Check(e.Key, scope), Value: Check(e.Value, scope))).ToList();
        return new CelStaticType.MapOf(Common(entries.Select(e => e.Key)), Common(entries.Select(e => e.Value)));
    }

    private CelStaticType Macro(CelMacro macro, Scope scope)
    {
        var range = Check(macro.Range, scope);
        var (first, second) = range switch
        {
            CelStaticType.ListOf list => macro.Second is null ? (list.Item, CelStaticType.Dyn) : (CelStaticType.Int, list.Item),
            CelStaticType.MapOf map => (map.Key, map.Value),
            { IsDyn: true } => (CelStaticType.Dyn, CelStaticType.Dyn),
            _ => (Fault(macro, $"expression of type '{range}' cannot be range of a comprehension (must be list, map, or dynamic)"), CelStaticType.Dyn),
        };
        var inner = new Scope(scope, macro.Variable, first);
        if (macro.Second is { } name) inner = new Scope(inner, name, second);
        if (macro.Condition is not null) Condition(macro.Condition, macro, inner, "_?_:_");
        if (macro.Name == "map") return new CelStaticType.ListOf(Check(macro.Body, inner));
        Condition(macro.Body, macro, inner, macro.Name switch { "all" => "_&&_", "exists" => "_||_", _ => "_?_:_" });
        return macro.Name == "filter" ? new CelStaticType.ListOf(first) : CelStaticType.Bool;
    }

    // Macros stand for the operator that their body becomes an operand of.
    private void Condition(CelExpr body, CelMacro macro, Scope scope, string operation)
    {
        var type = Check(body, scope);
        if (CelStaticType.Fits(type, CelStaticType.Bool)) return;
        Fault(macro, $"found no matching overload for '{operation}' applied to '({(operation == "_?_:_" ? $"{type}, int, int" : $"bool, {type}")})'");
    }

    private CelStaticType Call(CelCall call, Scope scope)
    {
        // optional.of(x), math.greatest(a, b): the receiver is a namespace, not a value.
        var space = call.Target is CelIdent ident && CelFunctions.Namespaces.Contains(ident.Name) && scope.Find(ident.Name) is null ? ident.Name : null;
        var name = space is null ? call.Function : $"{space}.{call.Function}";
        var isMethod = call.Target is not null && space is null;
        List<CelStaticType> arguments = isMethod ? [Check(call.Target!, scope)] : [];
        arguments.AddRange(call.Arguments.Select(argument => Check(argument, scope)));
        if (name is "math.greatest" or "math.least") return arguments is [CelStaticType.ListOf list] ? list.Item : Common(arguments);
        if (CelSignatures.Of(name, isMethod) is not { } overloads) return Fault(call, $"undeclared reference to '{name}' (in container '')");
        var results = overloads.Select(o => o.Apply(arguments)).OfType<CelStaticType>().Distinct().ToList();
        return results.Count switch
        {
            0 => Fault(call, $"found no matching overload for '{name}' applied to '{Applied(arguments, isMethod)}'"),
            1 => results[0],
            _ => CelStaticType.Dyn,   // which one it will be depends on a value of unknown type
        };
    }

    private static string Applied(List<CelStaticType> arguments, bool isMethod) =>
        isMethod ? $"{arguments[0]}.({string.Join(", ", arguments.Skip(1))})" : $"({string.Join(", ", arguments)})";

    private static CelStaticType Common(IEnumerable<CelStaticType> types)
    {
        CelStaticType? common = null;
        foreach (var type in types)
        {
            if (common is null || common.IsDyn) common = type;
            else if (!CelStaticType.Fits(common, type)) return CelStaticType.Dyn;
        }

        return common ?? CelStaticType.Dyn;
    }

    private CelStaticType Fault(CelExpr at, string message)
    {
        _errors.Add(Mark(text, at.Position, message));
        return CelStaticType.Dyn;
    }

    /// <summary>The variables that macros bind, innermost first.</summary>
    private sealed record Scope(Scope? Outer, string Name, CelStaticType Type)
    {
        public CelStaticType? Find(string name)
        {
            for (var scope = this; scope.Outer is not null; scope = scope.Outer)
            {
                if (scope.Name == name) return scope.Type;
            }

            return null;
        }
    }
}
