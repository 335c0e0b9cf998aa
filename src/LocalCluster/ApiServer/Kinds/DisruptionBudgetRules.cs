using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Kinds;

/// <summary>Disruption budgets: one bound, as a number or a percentage.</summary>
public sealed class DisruptionBudgetRules() : SpecStatusRules(generation: true)
{
    public override void Validate(JsonObject item, List<FieldError> errors)
    {
        var spec = item.Obj("spec") ?? [];
        if (spec["minAvailable"] is not null && spec["maxUnavailable"] is not null) errors.Add(FieldError.Invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
        foreach (var name in (ReadOnlySpan<string>)["minAvailable", "maxUnavailable"]) Bound(spec[name], $"spec.{name}", errors);
    }

    private static void Bound(JsonNode? bound, string path, List<FieldError> errors)
    {
        if (bound.Str() is { } text && !(text.EndsWith('%') && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            errors.Add(FieldError.Invalid(path, bound, "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"));
        }
        else if (bound.Long() < 0)
        {
            errors.Add(FieldError.Invalid(path, bound, "must be greater than or equal to 0"));
        }
    }
}
