using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Schema;

/// <summary>
/// Builds the structural OpenAPI v3 schema of an API record from its source-generated JSON metadata: names, types, enums, required
/// fields and constant defaults are the records' own, so they cannot drift; limits come from <see cref="FieldLimits"/>, descriptions
/// from the documentation comments.
/// </summary>
internal sealed class SchemaBuilder(Func<string, string?> documentation)
{
    /// <param name="defaults">The value's JSON with only required fields given; what else appears there is a constant default. Null for no defaults.</param>
    public JsonObject Object(JsonTypeInfo type, JsonObject? defaults)
    {
        var properties = new JsonObject();
        var required = new JsonArray();
        foreach (var property in type.Properties)
        {
            properties[property.Name] = Property(type.Type, property, defaults?[property.Name]);
            if (property.IsRequired) required.Add((JsonNode)property.Name);
        }

        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties };
        if (required.Count > 0) schema["required"] = required;
        return schema;
    }

    private JsonObject Property(Type owner, JsonPropertyInfo property, JsonNode? value)
    {
        var clrName = char.ToUpperInvariant(property.Name[0]) + property.Name[1..];
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var description = Documented(owner, clrName) ?? documentation($"T:{type.FullName}");
        var schema = new JsonObject();
        if (description is not null) schema["description"] = description;
        foreach (var (key, node) in Value(type, value, FieldLimits.Find(owner, clrName)).ToArray()) schema[key] = node?.DeepClone();
        if (!property.IsRequired && Default(schema, value) is { } constant) schema["default"] = constant;
        return schema;
    }

    private string? Documented(Type owner, string name)
    {
        for (var type = owner; type is not null; type = type.BaseType)
        {
            if (documentation($"P:{type.FullName}.{name}") is { } text) return text;
        }

        return null;
    }

    private JsonObject Value(Type type, JsonNode? value, FieldLimit? limit)
    {
        if (type == typeof(CheckpointInterval) || type == typeof(JsonObject)) return OpenValue(type);
        var schema = SpecJson.Default.GetTypeInfo(type) is { Kind: not JsonTypeInfoKind.None } info ? Composite(info, value as JsonObject) : Scalar(type);
        if (schema["type"]!.GetValue<string>() is "string" && !schema.ContainsKey("format") && !schema.ContainsKey("enum")) schema["maxLength"] ??= FieldLimits.DefaultMaxLength;
        if (schema["type"]!.GetValue<string>() is "array") schema["maxItems"] = FieldLimits.DefaultMaxItems;
        if (limit?.Values is not null) schema.Remove("maxLength");
        limit?.WriteTo(schema);
        return schema;
    }

    /// <summary>Not described further: a union of string and object, and the partial pod template, which a dry run checks.</summary>
    private static JsonObject OpenValue(Type type)
    {
        var schema = new JsonObject();
        if (type == typeof(JsonObject)) schema["type"] = "object";
        schema["x-kubernetes-preserve-unknown-fields"] = true;
        return schema;
    }

    private JsonObject Composite(JsonTypeInfo info, JsonObject? value)
    {
        if (info.Kind is JsonTypeInfoKind.Object) return Object(info, value);
        var schema = new JsonObject { ["type"] = "array", ["items"] = Value(info.ElementType!, null, null) };
        if (info.ElementType == typeof(Condition))
        {
            schema["x-kubernetes-list-type"] = "map";
            schema["x-kubernetes-list-map-keys"] = new JsonArray("type");
        }
        else
        {
            schema["x-kubernetes-list-type"] = "atomic";
        }

        return schema;
    }

    private static JsonObject Scalar(Type type)
    {
        if (type == typeof(string)) return new() { ["type"] = "string" };
        if (type == typeof(bool)) return new() { ["type"] = "boolean" };
        if (type == typeof(int)) return new() { ["type"] = "integer", ["format"] = "int32" };
        if (type == typeof(long)) return new() { ["type"] = "integer", ["format"] = "int64" };
        if (type == typeof(double)) return new() { ["type"] = "number", ["format"] = "double" };
        if (type == typeof(DateTimeOffset)) return new() { ["type"] = "string", ["format"] = "date-time" };
        if (type == typeof(TimeSpan)) return new() { ["type"] = "string", ["pattern"] = DurationConverter.SchemaPattern, ["maxLength"] = 64 };
        if (type.IsEnum) return new() { ["type"] = "string", ["enum"] = EnumValues(type) };
        throw new NotSupportedException($"No schema for {type}");
    }

    private static JsonArray EnumValues(Type type)
    {
        var values = new JsonArray();
        foreach (var name in Enum.GetNames(type)) values.Add(JsonSerializer.SerializeToNode(Enum.Parse(type, name), SpecJson.Default.GetTypeInfo(type)!));
        return values;
    }

    /// <summary>Scalars and objects that carry required fields keep their value; other objects default to {} so that their fields' defaults apply.</summary>
    private static JsonNode? Default(JsonObject schema, JsonNode? value)
    {
        if (value is null or JsonArray || schema.ContainsKey("x-kubernetes-preserve-unknown-fields")) return null;
        if (value is JsonObject && !schema.ContainsKey("required")) return new JsonObject();
        return value.DeepClone();
    }
}
