using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Opt.Api.Validation;

/// <summary>
/// Checks a JSON value against a structural schema, as the API server does: for specs that slipped past it (an older CRD, no webhook).
/// Unknown fields pass, since a newer API server may know more than this binary.
/// </summary>
internal static class SchemaCheck
{
    private const int LongestShownValue = 80;

    public static IEnumerable<SpecFault> Faults(JsonObject schema, JsonNode? value, string path)
    {
        if (value is null) return [];   // null is absent; the parent's "required" speaks for it
        if ((string?)schema["type"] is not { } type) return [];
        if (!HasType(type, value)) return [Fault(path, value, $"must be {Article(type)}")];
        return type switch
        {
            "object" => ObjectFaults(schema, value.AsObject(), path),
            "array" => ArrayFaults(schema, value.AsArray(), path),
            "string" => StringFaults(schema, value.GetValue<string>(), value, path),
            "integer" or "number" => NumberFaults(schema, value, path),
            _ => [],
        };
    }

    private static IEnumerable<SpecFault> ObjectFaults(JsonObject schema, JsonObject value, string path)
    {
        foreach (var name in schema["required"] as JsonArray ?? [])
        {
            if (value[(string)name!] is null) yield return new($"{path}.{name}", SpecFault.Absent, $"required: {Describe(schema["properties"]?[(string)name!])}");
        }

        foreach (var (name, property) in schema["properties"] as JsonObject ?? [])
        {
            foreach (var fault in Faults(property!.AsObject(), value[name], $"{path}.{name}")) yield return fault;
        }
    }

    private static IEnumerable<SpecFault> ArrayFaults(JsonObject schema, JsonArray value, string path)
    {
        if ((int?)schema["minItems"] is { } least && value.Count < least) yield return new(path, $"a list of {value.Count}", $"at least {least} needed");
        if ((int?)schema["maxItems"] is { } most && value.Count > most) yield return new(path, $"a list of {value.Count}", $"at most {most} allowed");
        for (var i = 0; i < value.Count; i++)
        {
            foreach (var fault in Faults(schema["items"]!.AsObject(), value[i], $"{path}[{i}]")) yield return fault;
        }
    }

    private static IEnumerable<SpecFault> StringFaults(JsonObject schema, string text, JsonNode value, string path)
    {
        if (schema["enum"] is JsonArray allowed && !allowed.Any(v => (string?)v == text)) yield return Fault(path, value, $"must be one of {string.Join(", ", allowed.Select(v => (string?)v))}");
        if ((int?)schema["minLength"] is { } least && text.Length < least) yield return Fault(path, value, $"must have at least {least} characters");
        if ((int?)schema["maxLength"] is { } most && text.Length > most) yield return Fault(path, value, $"must have at most {most} characters");
        if ((string?)schema["pattern"] is { } pattern && !Regex.IsMatch(text, pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1))) yield return Fault(path, value, $"must match {pattern}");
    }

    private static IEnumerable<SpecFault> NumberFaults(JsonObject schema, JsonNode value, string path)
    {
        var number = AsDouble(value);
        var exclusive = (bool?)schema["exclusiveMinimum"] ?? false;
        var below = schema["minimum"] is { } minimum && (exclusive ? number <= AsDouble(minimum) : number < AsDouble(minimum));
        var above = schema["maximum"] is { } maximum && number > AsDouble(maximum);
        if (below || above) yield return Fault(path, value, $"must be {Describe(schema)}");
        else if ((string?)schema["format"] is "int32" && number is > int.MaxValue or < int.MinValue) yield return Fault(path, value, "must fit in 32 bits");
    }

    private static bool HasType(string type, JsonNode value) => type switch
    {
        "object" => value is JsonObject,
        "array" => value is JsonArray,
        "string" => value.GetValueKind() is JsonValueKind.String,
        "boolean" => value.GetValueKind() is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.GetValueKind() is JsonValueKind.Number && AsDouble(value) is var n && n == Math.Floor(n) && Math.Abs(n) < long.MaxValue,
        "number" => value.GetValueKind() is JsonValueKind.Number && double.IsFinite(AsDouble(value)),
        _ => true,
    };

    /// <summary>Whatever way the number is held: parsed from text, or made from a CLR value.</summary>
    private static double AsDouble(JsonNode value) => double.Parse(value.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string Describe(JsonNode? schema)
    {
        var type = (string?)schema?["type"];
        if (type is not ("integer" or "number")) return schema?["enum"] is JsonArray values ? $"one of {string.Join(", ", values.Select(v => (string?)v))}" : Article(type ?? "value");
        var what = Article(type);
        var above = (bool?)schema!["exclusiveMinimum"] ?? false ? "above" : "from";
        if (schema["minimum"] is { } minimum) what += $" {above} {minimum}";
        if (schema["maximum"] is { } maximum) what += $" {(above is "above" ? "and at most" : "to")} {maximum}";
        return what;
    }

    private static string Article(string type) => type is "object" or "integer" or "array" ? $"an {type}" : $"a {type}";

    private static SpecFault Fault(string path, JsonNode value, string allowed)
    {
        var text = value.ToJsonString();
        return new(path, text.Length <= LongestShownValue ? text : text[..LongestShownValue] + "...", allowed);
    }
}
