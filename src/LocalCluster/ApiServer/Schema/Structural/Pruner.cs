using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>Drops the fields that a structural schema does not name, and fills the defaults that it gives.</summary>
public static class Pruner
{
    private static readonly string[] ResourceFields = ["apiVersion", "kind", "metadata"];

    /// <summary>Prunes a whole object in place, telling <paramref name="report"/> what went.</summary>
    public static void Prune(JsonObject item, StructuralSchema schema, DecodeReport? report) => Prune(item, schema, report, "", isResource: true);

    /// <summary>Fills absent (and, where the schema has no null, null) fields that have a default, in place.</summary>
    public static void Default(JsonNode? node, StructuralSchema schema)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (var (name, property) in schema.Properties)
                {
                    if (property.Default is null) continue;
                    if (!map.TryGetPropertyValue(name, out var value) || value is null && !property.Nullable) map[name] = property.Default.DeepClone();
                }

                foreach (var (name, value) in map)
                {
                    if (schema.Property(name) is { } property) Default(value, property);
                    else if (schema.AdditionalProperties is { } additional) Default(value, additional);
                }

                break;
            case JsonArray list when schema.Items is { } items:
                foreach (var item in list) Default(item, items);
                break;
        }
    }

    private static void Prune(JsonNode? node, StructuralSchema? schema, DecodeReport? report, string path, bool isResource)
    {
        switch (node)
        {
            case JsonObject map:
                PruneObject(map, schema, report, path, isResource || schema?.IsEmbeddedResource == true);
                break;
            case JsonArray list:
                for (var i = 0; i < list.Count; i++) Prune(list[i], schema?.Items, report, $"{path}[{i}]", isResource: false);
                break;
        }
    }

    private static void PruneObject(JsonObject map, StructuralSchema? schema, DecodeReport? report, string path, bool isResource)
    {
        foreach (var (name, value) in map.ToArray())
        {
            if (isResource && ResourceFields.Contains(name)) continue;
            var below = path.Length == 0 ? name : $"{path}.{name}";
            if (schema?.Property(name) is { } property) Prune(value, property, report, below, isResource: false);
            else if (schema?.AdditionalProperties is { } additional) Prune(value, additional, report, below, isResource: false);
            else if (schema is not null && (schema.PreservesUnknownFields || schema.AllowsAnyProperty)) continue;
            else if (schema is null) continue;
            else
            {
                map.Remove(name);
                report?.Unknown(below);
            }
        }
    }
}
