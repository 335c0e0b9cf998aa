using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Apply;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>Checks a partial object against its type and brings its leaves into canonical form, adding nothing: what server-side apply merges.</summary>
internal static class Sparse
{
    /// <exception cref="ApplyException">A field is not of the type, or has another type.</exception>
    public static JsonNode? Of(JsonNode? value, TypeSchema type, string path = "") => (type, value) switch
    {
        (_, null) => null,
        (StructSchema s, JsonObject map) => Members(map, name => Field(s, name, path), path),
        (MapSchema m, JsonObject map) => Members(map, _ => m.Value, path),
        (ListSchema l, JsonArray list) => new JsonArray([.. list.Select((item, i) => Of(item, l.Element, $"{path}[{i}]"))]),
        (ScalarSchema scalar, _) => Leaf(value, scalar, path),
        (StructSchema or MapSchema, _) => throw new ApplyException($"{path}: expected map, got &{{{value.Plain()}}}"),
        (ListSchema, _) => throw new ApplyException($"{path}: expected list, got &{{{value.Plain()}}}"),
        _ => value.DeepClone(),
    };

    private static JsonObject Members(JsonObject map, Func<string, TypeSchema> below, string path)
    {
        var result = new JsonObject();
        foreach (var (name, value) in map) result[name] = Of(value, below(name), $"{path}.{name}");
        return result;
    }

    private static TypeSchema Field(StructSchema type, string name, string path)
    {
        var field = type.Field(name) ?? throw new ApplyException($"{path}.{name}: field not declared in schema");
        return field.OrBool ? RawSchema.Instance : field.Type;
    }

    private static JsonNode Leaf(JsonNode value, ScalarSchema scalar, string path)
    {
        try
        {
            return Scalars.Read(value, scalar.Kind, "", path);
        }
        catch (DecodeException e)
        {
            throw new ApplyException($"{path}: {e.Message}");
        }
    }
}
