using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema.Cel;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>Checks a value against a structural schema, in the words of the real server. Values that an update leaves unchanged are not held against it.</summary>
public static class StructuralValidator
{
    public static void Validate(JsonNode? value, JsonNode? old, StructuralSchema schema, string path, List<FieldError> errors)
    {
        if (old is not null && value.SameAs(old)) return;   // ratcheting: what was tolerated stays tolerated
        if (value is null)
        {
            if (!schema.Nullable && (schema.Type.Length > 0 || schema.IsIntOrString)) errors.Add(WrongType(path, "null", schema));
            return;
        }

        if (!HasType(value, schema))
        {
            errors.Add(WrongType(path, TypeName(value), schema));
            return;
        }

        Enumeration(value, schema.Rules, path, errors);
        switch (value)
        {
            case JsonObject map:
                Object(map, old as JsonObject, schema, path, errors);
                break;
            case JsonArray list:
                List(list, schema, path, errors);
                break;
            default:
                Leaf(value, schema, path, errors);
                break;
        }

        Combinations(value, schema.Rules, path, errors);
    }

    private static FieldError WrongType(string path, string actual, StructuralSchema schema)
    {
        var wanted = schema.IsIntOrString ? "integer,string" : schema.Type;
        return FieldError.TypeInvalid(path, actual, $"{Named(path)} in body must be of type {wanted}: \"{actual}\"");
    }

    private static string Named(string path) => path.Length == 0 ? "<nil>" : path;

    private static bool HasType(JsonNode value, StructuralSchema schema)
    {
        var actual = TypeName(value);
        if (schema.IsIntOrString) return actual is "integer" or "string";
        return schema.Type switch
        {
            "" => true,
            "number" => actual is "number" or "integer",
            _ => actual == schema.Type,
        };
    }

    private static string TypeName(JsonNode? value) => value?.GetValueKind() switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.String => "string",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Number => value.Long() is null ? "number" : "integer",
        _ => "null",
    };

    private static void Enumeration(JsonNode value, ValueRules rules, string path, List<FieldError> errors)
    {
        if (rules.Enum.Length == 0 || rules.Enum.Any(e => e.SameAs(value))) return;
        var supported = rules.Enum.Select(e => e.Str() is { } text ? JsonText.ToText(JsonValue.Create(text)) : JsonText.ToText(e));
        errors.Add(new FieldError("FieldValueNotSupported", path, $"Unsupported value: {JsonText.ToText(value)}: supported values: {string.Join(", ", supported)}"));
    }

    private static void Object(JsonObject map, JsonObject? old, StructuralSchema schema, string path, List<FieldError> errors)
    {
        if (schema.Rules.MaxProperties is { } max && map.Count > max) errors.Add(FieldError.TooMany(path, map.Count, (int)max));
        if (schema.Rules.MinProperties is { } min && map.Count < min) errors.Add(Body(path, map, $"should have at least {min} properties"));
        foreach (var name in schema.Required)
        {
            if (!map.ContainsKey(name)) errors.Add(FieldError.Required(Below(path, name)));
        }

        foreach (var (name, value) in map.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            if (path.Length == 0 && name is "apiVersion" or "kind" or "metadata" && schema.Property(name) is null) continue;
            if ((schema.Property(name) ?? schema.AdditionalProperties) is not { } below) continue;
            Validate(value, old?[name], below, Below(path, name), errors);
        }
    }

    private static void List(JsonArray list, StructuralSchema schema, string path, List<FieldError> errors)
    {
        if (schema.Rules.MinItems is { } min && list.Count < min) errors.Add(Body(path, JsonValue.Create(list.Count), $"should have at least {min} items"));
        if (schema.Rules.MaxItems is { } max && list.Count > max) errors.Add(FieldError.TooMany(path, list.Count, (int)max));
        if (schema.Rules.UniqueItems && list.Select(JsonText.ToText).Distinct().Count() < list.Count) errors.Add(Body(path, list, "shouldn't contain duplicates"));
        if (schema.Items is not { } items) return;
        for (var i = 0; i < list.Count; i++) Validate(list[i], null, items, $"{path}[{i.ToString(CultureInfo.InvariantCulture)}]", errors);
    }

    private static void Leaf(JsonNode value, StructuralSchema schema, string path, List<FieldError> errors)
    {
        if (value.Str() is { } text) Text(text, schema, path, errors);
        else if (value.Double() is { } number) Number(number, value, schema.Rules, path, errors);
    }

    // The first rule that a text breaks is the one reported.
    private static void Text(string text, StructuralSchema schema, string path, List<FieldError> errors)
    {
        var rules = schema.Rules;
        var length = text.EnumerateRunes().Count();
        if (length > rules.MaxLength) errors.Add(FieldError.TooLong(path, (int)rules.MaxLength));
        else if (length < rules.MinLength) errors.Add(Body(path, text, $"should be at least {rules.MinLength} chars long"));
        else if (rules.Pattern is { } pattern && !Matches(text, pattern)) errors.Add(Body(path, text, $"should match '{pattern}'"));
        else if (!Formats.Holds(text, schema.Format)) errors.Add(FieldError.Invalid(path, text, $"{path} in body must be of type {schema.Format}: {JsonText.ToText(JsonValue.Create(text))}"));
    }

    private static bool Matches(string text, string pattern)
    {
        try
        {
            return CelRegex.Of(pattern).IsMatch(text);
        }
        catch (CelException)
        {
            return false;
        }
    }

    private static void Number(double number, JsonNode value, ValueRules rules, string path, List<FieldError> errors)
    {
        if (rules.MultipleOf is > 0 and var factor && Math.Abs(number / factor - Math.Round(number / factor)) > 1e-9) errors.Add(Body(path, value, $"should be a multiple of {Go(factor)}"));
        if (rules.Maximum is { } max && (rules.ExclusiveMaximum ? number >= max : number > max)) errors.Add(Body(path, value, $"should be less than {(rules.ExclusiveMaximum ? "" : "or equal to ")}{Go(max)}"));
        if (rules.Minimum is { } min && (rules.ExclusiveMinimum ? number <= min : number < min)) errors.Add(Body(path, value, $"should be greater than {(rules.ExclusiveMinimum ? "" : "or equal to ")}{Go(min)}"));
    }

    private static string Go(double number) => number.ToString(Math.Abs(number) is >= 1e21 or (< 1e-4 and > 0) ? "e6" : "R", CultureInfo.InvariantCulture).Replace("E+", "e+", StringComparison.Ordinal);

    private static void Combinations(JsonNode value, ValueRules rules, string path, List<FieldError> errors)
    {
        foreach (var one in rules.AllOf) Validate(value, null, one, path, errors);
        if (rules.AnyOf.Length > 0 && !rules.AnyOf.Any(s => Holds(value, s))) errors.Add(Combination(path, "must validate at least one schema (anyOf)"));
        var valid = rules.OneOf.Count(s => Holds(value, s));
        if (rules.OneOf.Length > 0 && valid != 1)
        {
            errors.Add(Combination(path, $"must validate one and only one schema (oneOf). Found {(valid == 0 ? "none valid" : $"{valid} valid alternatives")}"));
        }

        if (rules.Not is { } not && Holds(value, not)) errors.Add(Combination(path, "must not validate the schema (not)"));
    }

    private static bool Holds(JsonNode value, StructuralSchema schema)
    {
        var errors = new List<FieldError>();
        Validate(value, null, schema, "", errors);
        return errors.Count == 0;
    }

    private static FieldError Body(string path, JsonNode? value, string what) => FieldError.Invalid(path, value, $"{Named(path)} in body {what}");

    private static FieldError Combination(string path, string what) => new("FieldValueInvalid", Named(path), $"Invalid value: \"\": \"{path}\" {what}");

    private static string Below(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
