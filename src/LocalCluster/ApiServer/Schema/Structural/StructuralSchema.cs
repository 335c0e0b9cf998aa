using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>A CRD's OpenAPI v3 schema, read once: shape, value rules, and Kubernetes' extensions.</summary>
public sealed record StructuralSchema
{
    public string Type { get; init; } = "";
    public string Format { get; init; } = "";
    public bool Nullable { get; init; }
    public ImmutableSortedDictionary<string, StructuralSchema> Properties { get; init; } = ImmutableSortedDictionary.Create<string, StructuralSchema>(StringComparer.Ordinal);
    public StructuralSchema? AdditionalProperties { get; init; }

    /// <summary><c>additionalProperties: true</c>, without a schema.</summary>
    public bool AllowsAnyProperty { get; init; }
    public StructuralSchema? Items { get; init; }
    public JsonNode? Default { get; init; }
    public ImmutableArray<string> Required { get; init; } = [];
    public bool PreservesUnknownFields { get; init; }
    public bool IsEmbeddedResource { get; init; }
    public bool IsIntOrString { get; init; }
    public string ListType { get; init; } = "atomic";
    public ImmutableArray<string> ListMapKeys { get; init; } = [];
    public string MapType { get; init; } = "granular";
    public ValueRules Rules { get; init; } = new();
    public ImmutableArray<CelRule> Validations { get; init; } = [];

    /// <summary>There is an expression rule here or below.</summary>
    public bool HasValidations { get; init; }

    public StructuralSchema? Property(string name) => Properties.GetValueOrDefault(name);

    public static StructuralSchema Read(JsonObject source)
    {
        var properties = (source.Obj("properties") ?? []).Where(p => p.Value is JsonObject).ToImmutableSortedDictionary(p => p.Key, p => Read((JsonObject)p.Value!), StringComparer.Ordinal);
        var additional = source["additionalProperties"] is JsonObject more ? Read(more) : null;
        var items = source["items"] is JsonObject element ? Read(element) : null;
        ImmutableArray<CelRule> validations = [.. source.Items("x-kubernetes-validations").Select(CelRule.Read)];
        return new StructuralSchema
        {
            Type = source.Str("type") ?? "",
            Format = source.Str("format") ?? "",
            Nullable = source["nullable"].Bool() == true,
            Properties = properties,
            AdditionalProperties = additional,
            AllowsAnyProperty = source["additionalProperties"].Bool() == true,
            Items = items,
            Default = source["default"]?.DeepClone(),
            Required = [.. source.Strings("required")],
            PreservesUnknownFields = source["x-kubernetes-preserve-unknown-fields"].Bool() == true,
            IsEmbeddedResource = source["x-kubernetes-embedded-resource"].Bool() == true,
            IsIntOrString = source["x-kubernetes-int-or-string"].Bool() == true,
            ListType = source.Str("x-kubernetes-list-type") ?? "atomic",
            ListMapKeys = [.. source.Strings("x-kubernetes-list-map-keys")],
            MapType = source.Str("x-kubernetes-map-type") ?? "granular",
            Rules = ValueRules.Read(source),
            Validations = validations,
            HasValidations = validations.Length > 0 || properties.Values.Append(additional).Append(items).Any(s => s?.HasValidations == true),
        };
    }

    /// <summary>The type that ownership by field works with. Metadata at the root is that of every object.</summary>
    public StructSchema ToRootType(string name)
    {
        var meta = new FieldSchema("metadata", TypeCatalog.Struct("meta.ObjectMeta"), Always: true);
        var root = ToStruct(name, Properties.Remove("metadata").Remove("apiVersion").Remove("kind"));
        return root.Add(meta);
    }

    private TypeSchema ToType(string name)
    {
        if (IsIntOrString) return RawSchema.Instance;
        return Type switch
        {
            "array" => new ListSchema(Items?.ToType(name + "[]") ?? DeducedSchema.Instance, ListType switch { "map" => ListKind.Map, "set" => ListKind.Set, _ => ListKind.Atomic }, ListMapKeys),
            "object" when Properties.Count > 0 => ToStruct(name, Properties),
            "object" when AdditionalProperties is { } value => new MapSchema(value.ToType(name + "{}"), MapType == "atomic"),
            "object" => MapType == "atomic" ? RawSchema.Instance : DeducedSchema.Instance,
            "" when PreservesUnknownFields => DeducedSchema.Instance,
            _ => RawSchema.Instance,
        };
    }

    private StructSchema ToStruct(string name, ImmutableSortedDictionary<string, StructuralSchema> properties)
    {
        var type = new StructSchema(name) { Atomic = MapType == "atomic", Unknown = PreservesUnknownFields ? DeducedSchema.Instance : AdditionalProperties?.ToType(name + "{}") };
        foreach (var (field, schema) in properties) type.Add(new FieldSchema(field, schema.ToType($"{name}.{field}"), Default: schema.Default.Str()));
        return type;
    }
}
