using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>Lists that are sets or maps hold no item twice.</summary>
public static class ListRules
{
    public static void Validate(JsonNode? value, StructuralSchema schema, string path, List<FieldError> errors)
    {
        switch (value)
        {
            case JsonObject map:
                foreach (var (name, below) in map)
                {
                    if ((schema.Property(name) ?? schema.AdditionalProperties) is { } type) Validate(below, type, path.Length == 0 ? name : $"{path}.{name}", errors);
                }

                break;
            case JsonArray list:
                if (schema.ListType is "map" or "set") Duplicates(list, schema, path, errors);
                for (var i = 0; i < list.Count && schema.Items is not null; i++) Validate(list[i], schema.Items, At(path, i), errors);
                break;
        }
    }

    private static void Duplicates(JsonArray list, StructuralSchema schema, string path, List<FieldError> errors)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < list.Count; i++)
        {
            var key = schema.ListType == "map" ? Key(list[i], schema) : list[i];
            if (!seen.Add(JsonText.ToText(key))) errors.Add(FieldError.Duplicate(At(path, i), key));
        }
    }

    private static JsonObject Key(JsonNode? item, StructuralSchema schema)
    {
        var key = new JsonObject();
        foreach (var name in schema.ListMapKeys)
        {
            if (item.At(name) is { } value) key[name] = value.DeepClone();
        }

        return key;
    }

    private static string At(string path, int index) => $"{path}[{index.ToString(CultureInfo.InvariantCulture)}]";
}
