using System.Collections.Immutable;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>A compiled expression, evaluated over variables within a bounded number of steps.</summary>
public sealed class CelProgram
{
    private const int MaxSteps = 1_000_000;
    private readonly CelExpr _expression;

    private CelProgram(CelExpr expression) => _expression = expression;

    /// <exception cref="CelSyntaxException">The text is not an expression.</exception>
    public static CelProgram Compile(string text) => new(CelParser.Parse(text));

    /// <summary>What was compiled.</summary>
    public CelExpr Expression => _expression;

    /// <summary>The variables it refers to that it does not bind itself.</summary>
    public IReadOnlySet<string> Variables => CelVariables.Of(_expression);

    /// <exception cref="CelException">Evaluation failed or took too many steps.</exception>
    public object? Evaluate(IReadOnlyDictionary<string, object?> variables) => new Evaluation().Run(_expression, new Scope(null, "", null, variables));

    private sealed record Scope(Scope? Outer, string Name, object? Value, IReadOnlyDictionary<string, object?>? Globals)
    {
        public bool TryFind(string name, out object? value)
        {
            for (var scope = this; scope is not null; scope = scope.Outer)
            {
                if (scope.Globals is { } globals) return globals.TryGetValue(name, out value);
                if (scope.Name != name) continue;
                value = scope.Value;
                return true;
            }

            value = null;
            return false;
        }
    }

    private sealed class Evaluation
    {
        private int _steps;

        public object? Run(CelExpr expression, Scope scope)
        {
            if (++_steps > MaxSteps) throw new CelException("operation cancelled: actual cost limit exceeded");
            return expression switch
            {
                CelLiteral literal => literal.Value,
                CelIdent ident => Ident(ident, scope),
                CelSelect select => Select(select, scope),
                CelIndex index => Index(index, scope),
                CelList list => new CelListValue([.. list.Items.Select(i => Run(i, scope))]),
                CelMap map => Map(map, scope),
                CelMacro macro => Macro(macro, scope),
                CelCall call => Call(call, scope),
                _ => throw CelValues.NoOverload(),
            };
        }

        private static object? Ident(CelIdent ident, Scope scope)
        {
            if (scope.TryFind(ident.Name, out var value)) return value;
            return ident.Name is "int" or "uint" or "double" or "bool" or "string" or "bytes" or "list" or "map" or "null_type" or "type"
                ? new CelType(ident.Name) : throw new CelException($"no such attribute(s): {ident.Name}");
        }

        private object? Select(CelSelect select, Scope scope)
        {
            var operand = Run(select.Operand, scope);
            var chained = operand is CelOptional;
            if (operand is CelOptional optional)
            {
                if (!optional.HasValue) return select.Test ? false : CelOptional.None;
                operand = optional.Value;
            }

            if (operand is not CelMapValue map) throw select.Test ? CelValues.NoOverload() : new CelException($"no such key: {select.Field}");
            var there = map.TryGet(select.Field, out var value);
            if (select.Test) return there;
            if (select.Optional || chained) return there ? new CelOptional(true, value) : CelOptional.None;
            return there ? value : throw new CelException($"no such key: {select.Field}");
        }

        private object? Index(CelIndex index, Scope scope)
        {
            var operand = Run(index.Operand, scope);
            var key = Run(index.Index, scope);
            var chained = operand is CelOptional;
            if (operand is CelOptional optional)
            {
                if (!optional.HasValue) return CelOptional.None;
                operand = optional.Value;
            }

            var (there, value) = operand switch
            {
                CelMapValue map => (map.TryGet(key, out var found), found),
                CelListValue list => At(list, key),
                _ => throw CelValues.NoOverload(),
            };
            if (index.Optional || chained) return there ? new CelOptional(true, value) : CelOptional.None;
            if (there) return value;
            throw new CelException(operand is CelMapValue ? $"no such key: {CelValues.Text(key)}" : $"index out of bounds: {CelValues.Text(key)}");
        }

        private static (bool There, object? Value) At(CelListValue list, object? key)
        {
            var index = key switch
            {
                long l => l,
                ulong u when u < int.MaxValue => (long)u,
                double d when Math.Floor(d) == d => (long)d,
                _ => throw CelValues.NoOverload(),
            };
            return index >= 0 && index < list.Items.Count ? (true, list.Items[(int)index]) : (false, null);
        }

        private CelMapValue Map(CelMap map, Scope scope)
        {
            var entries = new Dictionary<object, object?>();
            foreach (var (key, value) in map.Entries)
            {
                var k = Run(key, scope) ?? throw new CelException("unsupported key type: null_type");
                if (!entries.TryAdd(k, Run(value, scope))) throw new CelException("Failed with repeated key");
            }

            return new CelMapValue(entries);
        }

        private object? Macro(CelMacro macro, Scope scope)
        {
            var range = Run(macro.Range, scope);
            var items = range switch
            {
                CelListValue list => list.Items.Select((item, i) => (First: macro.Second is null ? item : (object?)(long)i, Second: item)),
                CelMapValue map => map.Keys.Select(k => (First: (object?)k, Second: macro.Second is null ? null : map.Get(k))),
                _ => throw CelValues.NoOverload(),
            };
            var scopes = items.Select(i => macro.Second is null ? new Scope(scope, macro.Variable, i.First, null) : new Scope(new Scope(scope, macro.Variable, i.First, null), macro.Second, i.Second, null));
            return macro.Name switch
            {
                "all" => !Any(macro.Body, scopes, wanted: false),
                "exists" => Any(macro.Body, scopes, wanted: true),
                "exists_one" or "existsOne" => scopes.Count(s => True(macro.Body, s)) == 1,
                "filter" => new CelListValue([.. scopes.Where(s => True(macro.Body, s)).Select(s => s.Value)]),
                _ => new CelListValue([.. scopes.Where(s => macro.Condition is null || True(macro.Condition, s)).Select(s => Run(macro.Body, s))]),
            };
        }

        // Like || and &&, the quantifiers forgive an error when another element decides.
        private bool Any(CelExpr body, IEnumerable<Scope> scopes, bool wanted)
        {
            CelException? failed = null;
            foreach (var scope in scopes)
            {
                try
                {
                    if (True(body, scope) == wanted) return true;
                }
                catch (CelException e) when (_steps <= MaxSteps)
                {
                    failed ??= e;
                }
            }

            return failed is null ? false : throw failed;
        }

        private bool True(CelExpr expression, Scope scope) => Run(expression, scope) is bool flag ? flag : throw CelValues.NoOverload();

        private object? Call(CelCall call, Scope scope)
        {
            switch (call.Function)
            {
                case "_&&_": return Logical(call.Arguments, scope, decides: false);
                case "_||_": return Logical(call.Arguments, scope, decides: true);
                case "_?_:_": return Run(call.Arguments[True(call.Arguments[0], scope) ? 1 : 2], scope);
            }

            // optional.of(x), math.greatest(a, b): the receiver is a namespace, not a value.
            if (call.Target is CelIdent space && CelFunctions.Namespaces.Contains(space.Name) && !scope.TryFind(space.Name, out _))
            {
                return CelFunctions.Call($"{space.Name}.{call.Function}", [.. call.Arguments.Select(a => Run(a, scope))]);
            }

            IEnumerable<CelExpr> operands = call.Target is null ? call.Arguments : [call.Target, .. call.Arguments];
            return CelFunctions.Call(call.Function, [.. operands.Select(o => Run(o, scope))]);
        }

        private bool Logical(ImmutableArray<CelExpr> sides, Scope scope, bool decides)
        {
            CelException? failed = null;
            foreach (var side in sides)
            {
                try
                {
                    if (True(side, scope) == decides) return decides;
                }
                catch (CelException e) when (_steps <= MaxSteps)
                {
                    failed ??= e;
                }
            }

            return failed is null ? !decides : throw failed;
        }
    }
}
