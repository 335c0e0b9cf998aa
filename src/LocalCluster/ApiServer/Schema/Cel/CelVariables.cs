namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>The free variables of an expression.</summary>
internal static class CelVariables
{
    public static HashSet<string> Of(CelExpr expression)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        Collect(expression, [], found);
        return found;
    }

    private static void Collect(CelExpr expression, HashSet<string> bound, HashSet<string> found)
    {
        switch (expression)
        {
            case CelIdent ident when !bound.Contains(ident.Name):
                found.Add(ident.Name);
                break;
            case CelSelect select:
                Collect(select.Operand, bound, found);
                break;
            case CelIndex index:
                Collect(index.Operand, bound, found);
                Collect(index.Index, bound, found);
                break;
            case CelCall call:
                if (call.Target is not null) Collect(call.Target, bound, found);
                foreach (var argument in call.Arguments) Collect(argument, bound, found);
                break;
            case CelList list:
                foreach (var item in list.Items) Collect(item, bound, found);
                break;
            case CelMap map:
                foreach (var (key, value) in map.Entries)
                {
                    Collect(key, bound, found);
                    Collect(value, bound, found);
                }

                break;
            case CelMacro macro:
                Collect(macro.Range, bound, found);
                HashSet<string> inner = [.. bound, macro.Variable];
                if (macro.Second is not null) inner.Add(macro.Second);
                if (macro.Condition is not null) Collect(macro.Condition, inner, found);
                Collect(macro.Body, inner, found);
                break;
        }
    }
}
