using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.OpenApi;

/// <summary>Writes types as OpenAPI schemas, collecting those that they refer to.</summary>
/// <param name="prefix">What references begin with: <c>#/components/schemas/</c> or <c>#/definitions/</c>.</param>
internal sealed class SchemaWriter(string prefix)
{
    private readonly SortedDictionary<string, JsonObject> _schemas = new(StringComparer.Ordinal);

    private bool IsV3 => prefix.StartsWith("#/components", StringComparison.Ordinal);

    public JsonObject Schemas()
    {
        var all = new JsonObject();
        foreach (var (name, schema) in _schemas) all[name] = schema.DeepClone();
        return all;
    }

    /// <summary>Adds a kind and its list.</summary>
    public void Add(ResourceKind kind)
    {
        var name = SchemaNames.Of(kind);
        var schema = kind.Custom ? Custom(kind) : Struct(kind.Type, isObject: true);
        schema["x-kubernetes-group-version-kind"] = new JsonArray(Gvk(kind, kind.Kind));
        _schemas[name] = schema;
        if (!kind.Verbs.Contains("list")) return;
        _schemas[$"{name}List"] = new JsonObject
        {
            ["description"] = $"{kind.ListKind} is a list of {kind.Kind}",
            ["type"] = "object",
            ["required"] = new JsonArray("items"),
            ["properties"] = new JsonObject
            {
                ["apiVersion"] = Text(Docs.ApiVersion),
                ["items"] = new JsonObject { ["type"] = "array", ["items"] = Ref(name) },
                ["kind"] = Text(Docs.Kind),
                ["metadata"] = Ref(Listed()),
            },
            ["x-kubernetes-group-version-kind"] = new JsonArray(Gvk(kind, kind.ListKind)),
        };
    }

    public JsonObject Ref(string name) => new() { ["$ref"] = prefix + name };

    public static JsonObject Gvk(ResourceKind kind, string name) => new() { ["group"] = kind.Group, ["kind"] = name, ["version"] = kind.Version };

    private string Listed()
    {
        _schemas.TryAdd(SchemaNames.ListMeta, new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["continue"] = Text(""),
                ["remainingItemCount"] = new JsonObject { ["type"] = "integer", ["format"] = "int64" },
                ["resourceVersion"] = Text(""),
                ["selfLink"] = Text(""),
            },
        });
        return SchemaNames.ListMeta;
    }

    private JsonObject Custom(ResourceKind kind)
    {
        var schema = (kind.Schema ?? []).Copy();
        var properties = schema.Ensure("properties");
        properties["apiVersion"] = Text(Docs.ApiVersion);
        properties["kind"] = Text(Docs.Kind);
        properties["metadata"] = Reference(Need(TypeCatalog.Struct("meta.ObjectMeta")));
        schema["type"] = "object";
        return schema;
    }

    private string Need(StructSchema type)
    {
        var name = SchemaNames.Of(type.Name);
        if (_schemas.TryAdd(name, [])) _schemas[name] = Struct(type, isObject: false);
        return name;
    }

    private JsonObject Struct(StructSchema type, bool isObject)
    {
        var properties = new JsonObject();
        if (isObject)
        {
            properties["apiVersion"] = Text(Docs.ApiVersion);
            properties["kind"] = Text(Docs.Kind);
        }

        foreach (var field in type.Fields.OrderBy(f => f.Name, StringComparer.Ordinal)) properties[field.Name] = Field(field);
        var schema = new JsonObject { ["type"] = "object", ["properties"] = properties };
        var required = type.Fields.Where(f => f.Required).Select(f => JsonValue.Create(f.Name)).ToArray();
        if (required.Length > 0) schema["required"] = new JsonArray([.. required]);
        if (type.Atomic) schema["x-kubernetes-map-type"] = "atomic";
        return schema;
    }

    private JsonObject Field(FieldSchema field)
    {
        var schema = Type(field.Type);
        if (field.MergeKey is { } key) schema["x-kubernetes-patch-merge-key"] = key;
        if (field.Strategies is { Count: > 0 } strategies) schema["x-kubernetes-patch-strategy"] = string.Join(",", strategies);
        return schema;
    }

    private JsonObject Type(TypeSchema type) => type switch
    {
        StructSchema s => Reference(Need(s)),
        ListSchema list => List(list),
        MapSchema map => Map(map),
        ScalarSchema scalar => Scalar(scalar.Kind),
        _ => new JsonObject { ["type"] = "object" },
    };

    // In version 3 a reference stands under allOf, so that siblings are allowed.
    private JsonObject Reference(string name) => IsV3 ? new JsonObject { ["allOf"] = new JsonArray(Ref(name)), ["default"] = new JsonObject() } : Ref(name);

    private JsonObject List(ListSchema list)
    {
        var schema = new JsonObject { ["type"] = "array", ["items"] = Type(list.Element) };
        schema["x-kubernetes-list-type"] = list.Kind.ToString().ToLowerInvariant();
        if (list.Kind == ListKind.Map) schema["x-kubernetes-list-map-keys"] = new JsonArray([.. list.Keys.Select(k => JsonValue.Create(k))]);
        return schema;
    }

    private JsonObject Map(MapSchema map)
    {
        var schema = new JsonObject { ["type"] = "object", ["additionalProperties"] = Type(map.Value) };
        if (map.Atomic) schema["x-kubernetes-map-type"] = "atomic";
        return schema;
    }

    private JsonObject Scalar(ScalarKind kind) => kind switch
    {
        ScalarKind.String => new JsonObject { ["type"] = "string" },
        ScalarKind.Bool => new JsonObject { ["type"] = "boolean" },
        ScalarKind.Int32 => new JsonObject { ["type"] = "integer", ["format"] = "int32" },
        ScalarKind.Int64 => new JsonObject { ["type"] = "integer", ["format"] = "int64" },
        ScalarKind.Float => new JsonObject { ["type"] = "number", ["format"] = "double" },
        ScalarKind.Bytes => new JsonObject { ["type"] = "string", ["format"] = "byte" },
        ScalarKind.Quantity => Named(SchemaNames.Quantity, new JsonObject { ["type"] = "string" }),
        ScalarKind.IntOrString => Named(SchemaNames.IntOrString, new JsonObject { ["type"] = "string", ["format"] = "int-or-string" }),
        ScalarKind.Time => Named(SchemaNames.Time, new JsonObject { ["type"] = "string", ["format"] = "date-time" }),
        _ => Named(SchemaNames.MicroTime, new JsonObject { ["type"] = "string", ["format"] = "date-time" }),
    };

    private JsonObject Named(string name, JsonObject schema)
    {
        _schemas.TryAdd(name, schema);
        return IsV3 ? new JsonObject { ["allOf"] = new JsonArray(Ref(name)) } : Ref(name);
    }

    private static JsonObject Text(string description)
    {
        var schema = new JsonObject();
        if (description.Length > 0) schema["description"] = description;
        schema["type"] = "string";
        return schema;
    }

    private static class Docs
    {
        public const string ApiVersion = "The version of the schema that this object is written in, as GROUP/VERSION.";
        public const string Kind = "The kind of the object, in CamelCase. It cannot be changed.";
    }
}
