using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema.Cel;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>Runs the expression rules of a schema over a value, pairing old and new by field, map key, and list map key.</summary>
public static class CelValidator
{
    /// <summary>Said instead of running the rules when the object is too broken for them.</summary>
    public static readonly FieldError NotChecked = FieldError.Invalid(
        "<nil>", null, "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation");

    /// <summary>Errors after which expressions cannot be trusted to see what they expect.</summary>
    public static bool Blocks(FieldError error) =>
        error.Reason is "FieldValueNotSupported" or "FieldValueRequired" or "FieldValueTooLong" or "FieldValueTooMany" or "FieldValueTypeInvalid";

    public static void Validate(JsonNode? value, JsonNode? old, bool isUpdate, StructuralSchema schema, string path, List<FieldError> errors)
    {
        if (!schema.HasValidations || value is null) return;
        foreach (var rule in schema.Validations) Run(rule, value, old, schema, path, errors);
        switch (value)
        {
            case JsonObject map:
                foreach (var (name, below) in map.OrderBy(m => m.Key, StringComparer.Ordinal))
                {
                    if ((schema.Property(name) ?? schema.AdditionalProperties) is { } type) Validate(below, old.At(name), isUpdate, type, path.Length == 0 ? name : $"{path}.{name}", errors);
                }

                break;
            case JsonArray list when schema.Items is { } items:
                for (var i = 0; i < list.Count; i++) Validate(list[i], Counterpart(list[i], old as JsonArray, schema), isUpdate, items, $"{path}[{i.ToString(CultureInfo.InvariantCulture)}]", errors);
                break;
        }
    }

    // Only items of list maps can be told apart from one version to the next.
    private static JsonNode? Counterpart(JsonNode? item, JsonArray? old, StructuralSchema schema) => schema.ListType == "map"
        ? old?.FirstOrDefault(o => schema.ListMapKeys.All(k => o.At(k).SameAs(item.At(k))))
        : null;

    private static void Run(CelRule rule, JsonNode value, JsonNode? old, StructuralSchema schema, string path, List<FieldError> errors)
    {
        try
        {
            if (rule.IsTransition ? old is null && !rule.OptionalOldSelf : old is not null && value.SameAs(old)) return;
            var variables = new Dictionary<string, object?> { ["self"] = CelValues.From(value, schema) };
            if (rule.OptionalOldSelf) variables["oldSelf"] = old is null ? CelOptional.None : new CelOptional(true, CelValues.From(old, schema));
            else if (old is not null) variables["oldSelf"] = CelValues.From(old, schema);
            if (rule.Program.Evaluate(variables) is true) return;
            errors.Add(Failed(rule, value, schema, path, variables));
        }
        catch (Exception e) when (e is CelException or CelSyntaxException)
        {
            errors.Add(FieldError.Invalid(path, schema.Type, $"{e.Message} evaluating rule: {(rule.Message.Length > 0 ? rule.Message : rule.Rule)}"));
        }
    }

    private static FieldError Failed(CelRule rule, JsonNode value, StructuralSchema schema, string path, Dictionary<string, object?> variables)
    {
        var at = path + (rule.FieldPath.Length == 0 ? "" : path.Length == 0 ? rule.FieldPath.TrimStart('.') : rule.FieldPath);
        var detail = Message(rule, variables);
        return rule.Reason switch
        {
            "FieldValueForbidden" => FieldError.Forbidden(at, detail),
            "FieldValueRequired" => FieldError.Required(at, detail),
            _ when schema.Type is "object" or "array" => new FieldError(rule.Reason.Length > 0 ? rule.Reason : "FieldValueInvalid", at.Length == 0 ? "<nil>" : at, $"Invalid value: {detail}"),
            "FieldValueDuplicate" => FieldError.Duplicate(at, value),
            _ => FieldError.Invalid(at, value, detail),
        };
    }

    private static string Message(CelRule rule, Dictionary<string, object?> variables)
    {
        var plain = rule.Message.Length > 0 ? rule.Message.Trim() : $"failed rule: {rule.Rule.Trim()}";
        if (rule.MessageProgram is not { } program) return plain;
        try
        {
            return program.Evaluate(variables) is string text && text.Trim().Length > 0 && !text.Contains('\n', StringComparison.Ordinal) ? text.Trim() : plain;
        }
        catch (CelException)
        {
            return plain;   // a broken message must not hide the broken rule
        }
    }
}
