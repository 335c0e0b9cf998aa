namespace Opt.LocalCluster.ApiServer.Schema.Cel.Typing;

/// <summary>One signature of a function.</summary>
internal sealed record Overload(IReadOnlyList<CelStaticType> Arguments, CelStaticType Result)
{
    /// <summary>The type of a call with these arguments; null when they do not fit.</summary>
    public CelStaticType? Apply(IReadOnlyList<CelStaticType> arguments)
    {
        if (arguments.Count != Arguments.Count) return null;
        var bound = new Dictionary<string, CelStaticType>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Count; i++)
        {
            if (!Matches(Arguments[i], arguments[i], bound)) return null;
        }

        return Filled(Result, bound);
    }

    private static bool Matches(CelStaticType wanted, CelStaticType given, Dictionary<string, CelStaticType> bound)
    {
        switch (wanted, given)
        {
            case (CelStaticType.Parameter parameter, _):
                if (!bound.TryGetValue(parameter.Name, out var before) || before.IsDyn || before == CelStaticType.Null)
                {
                    if (before == CelStaticType.Null && !CelStaticType.Fits(before, given)) return false;
                    bound[parameter.Name] = given;
                    return true;
                }

                return CelStaticType.Fits(before, given);
            case (_, { IsDyn: true }):
                return true;
            case (CelStaticType.ListOf x, CelStaticType.ListOf y):
                return Matches(x.Item, y.Item, bound);
            case (CelStaticType.MapOf x, CelStaticType.MapOf y):
                return Matches(x.Key, y.Key, bound) && Matches(x.Value, y.Value, bound);
            case (CelStaticType.OptionalOf x, CelStaticType.OptionalOf y):
                return Matches(x.Value, y.Value, bound);
            default:
                return CelStaticType.Fits(wanted, given);
        }
    }

    private static CelStaticType Filled(CelStaticType type, Dictionary<string, CelStaticType> bound) => type switch
    {
        CelStaticType.Parameter parameter => bound.GetValueOrDefault(parameter.Name, CelStaticType.Dyn),
        CelStaticType.ListOf list => new CelStaticType.ListOf(Filled(list.Item, bound)),
        CelStaticType.MapOf map => new CelStaticType.MapOf(Filled(map.Key, bound), Filled(map.Value, bound)),
        CelStaticType.OptionalOf optional => new CelStaticType.OptionalOf(Filled(optional.Value, bound)),
        _ => type,
    };
}
