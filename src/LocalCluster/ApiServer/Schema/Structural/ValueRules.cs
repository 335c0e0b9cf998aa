using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>The rules of one schema node that look at values: bounds, patterns, enumerations, combinations.</summary>
public sealed record ValueRules
{
    public double? Minimum { get; init; }
    public double? Maximum { get; init; }
    public bool ExclusiveMinimum { get; init; }
    public bool ExclusiveMaximum { get; init; }
    public double? MultipleOf { get; init; }
    public long? MinLength { get; init; }
    public long? MaxLength { get; init; }
    public string? Pattern { get; init; }
    public long? MinItems { get; init; }
    public long? MaxItems { get; init; }
    public bool UniqueItems { get; init; }
    public long? MinProperties { get; init; }
    public long? MaxProperties { get; init; }
    public ImmutableArray<JsonNode?> Enum { get; init; } = [];
    public ImmutableArray<StructuralSchema> AllOf { get; init; } = [];
    public ImmutableArray<StructuralSchema> AnyOf { get; init; } = [];
    public ImmutableArray<StructuralSchema> OneOf { get; init; } = [];
    public StructuralSchema? Not { get; init; }

    public static ValueRules Read(JsonObject source) => new()
    {
        Minimum = source["minimum"].Double(),
        Maximum = source["maximum"].Double(),
        ExclusiveMinimum = source["exclusiveMinimum"].Bool() == true,
        ExclusiveMaximum = source["exclusiveMaximum"].Bool() == true,
        MultipleOf = source["multipleOf"].Double(),
        MinLength = source["minLength"].Long(),
        MaxLength = source["maxLength"].Long(),
        Pattern = source.Str("pattern") is { Length: > 0 } pattern ? pattern : null,
        MinItems = source["minItems"].Long(),
        MaxItems = source["maxItems"].Long(),
        UniqueItems = source["uniqueItems"].Bool() == true,
        MinProperties = source["minProperties"].Long(),
        MaxProperties = source["maxProperties"].Long(),
        Enum = [.. (source["enum"] as JsonArray ?? []).Select(v => v?.DeepClone())],
        AllOf = Schemas(source, "allOf"),
        AnyOf = Schemas(source, "anyOf"),
        OneOf = Schemas(source, "oneOf"),
        Not = source["not"] is JsonObject not ? StructuralSchema.Read(not) : null,
    };

    private static ImmutableArray<StructuralSchema> Schemas(JsonObject source, string name) => [.. source.Items(name).Select(StructuralSchema.Read)];
}
