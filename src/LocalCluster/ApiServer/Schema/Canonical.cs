using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>
/// Brings a tree into the form a typed server stores and answers: fields in wire order, unknown fields dropped, empty optional values dropped,
/// always-written fields present, quantities and times in canonical form, map keys sorted. Idempotent.
/// </summary>
public static class Canonical
{
    /// <summary>Rebuilds a whole object of a built-in kind; <c>kind</c> and <c>apiVersion</c> come first.</summary>
    /// <exception cref="DecodeException">A value has the wrong type.</exception>
    public static JsonObject Object(JsonObject source, StructSchema type, DecodeReport? report = null)
    {
        try
        {
            return Object(source, type, new Context(report, source["kind"].Str() ?? "", NamesPaths: report is not null));
        }
        catch (DecodeException) when (report is null)
        {
            return Object(source, type, new Context(null, source["kind"].Str() ?? "", NamesPaths: true));   // fails again, and says where
        }
    }

    private static JsonObject Object(JsonObject source, StructSchema type, Context context)
    {
        var result = new JsonObject { ["kind"] = source["kind"].Str(), ["apiVersion"] = source["apiVersion"].Str() };
        Fields(source, type, result, context, "", ["kind", "apiVersion"]);
        return result;
    }

    /// <summary>Rebuilds a value of any type.</summary>
    public static JsonNode? Value(JsonNode? source, TypeSchema type) => Read(source, type, new Context(null, "", NamesPaths: true), "");

    /// <summary>A copy of any JSON with the members of every object sorted: how the server writes what it has no type for.</summary>
    public static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject map => SortedObject(map),
        JsonArray list => new JsonArray([.. list.Select(Sorted)]),
        _ => node?.DeepClone(),
    };

    private static JsonObject SortedObject(JsonObject map)
    {
        var result = new JsonObject();
        foreach (var (name, value) in map.OrderBy(m => m.Key, StringComparer.Ordinal)) result[name] = Sorted(value);
        return result;
    }

    /// <param name="Report">Receives what the type does not know; null where that is of no interest.</param>
    /// <param name="Root">The kind, for messages.</param>
    /// <param name="NamesPaths">Paths are kept on the way down: a text for every field, which only messages need.</param>
    private readonly record struct Context(DecodeReport? Report, string Root, bool NamesPaths)
    {
        public string Below(string path, string name) => !NamesPaths ? "" : path.Length == 0 ? name : $"{path}.{name}";

        public string Item(string path, int index) => NamesPaths ? $"{path}[{index}]" : "";
    }

    private static JsonNode? Read(JsonNode? source, TypeSchema type, Context context, string path) => type switch
    {
        StructSchema s => Struct(source, s, context, path),
        ListSchema l => List(source, l, context, path),
        MapSchema m => Map(source, m, context, path),
        ScalarSchema s => source is null ? null : Scalars.Read(source, s.Kind, context.Root, path),
        _ => source?.DeepClone(),
    };

    private static JsonObject? Struct(JsonNode? source, StructSchema type, Context context, string path)
    {
        if (source is null) return null;
        if (source is not JsonObject map) throw Mismatch(source, type.Name, context, path);
        var result = new JsonObject();
        Fields(map, type, result, context, path, []);
        return result;
    }

    private static void Fields(JsonObject source, StructSchema type, JsonObject result, Context context, string path, ReadOnlySpan<string> known)
    {
        if (context.Report is not null) ReportUnknown(source, type, context.Report, path, known);
        // Most structs have far more fields than any value of theirs sets.
        Span<bool> written = stackalloc bool[type.Fields.Count];
        type.Mark(source, written);
        for (var i = 0; i < written.Length; i++)
        {
            if (!written[i]) continue;
            var field = type.Fields[i];
            var value = source[field.Name];
            if (value is null)
            {
                if (field.Always) result[field.Name] = field.Pointer ? null : Zero(field.Type);
                continue;
            }

            var below = context.Below(path, field.Name);
            var read = field.OrBool && value is JsonValue ? value.DeepClone() : Read(value, field.Type, context, below);
            if (Kept(read, field)) result[field.Name] = read;
            else if (field.Always) result[field.Name] = field.Pointer ? null : Zero(field.Type);
        }
    }

    private static void ReportUnknown(JsonObject source, StructSchema type, DecodeReport report, string path, ReadOnlySpan<string> known)
    {
        foreach (var (name, _) in source)
        {
            if (type.Field(name) is null && !known.Contains(name)) report.Unknown(path.Length == 0 ? name : $"{path}.{name}");
        }
    }

    private static JsonArray? List(JsonNode? source, ListSchema type, Context context, string path)
    {
        if (source is null) return null;
        if (source is not JsonArray list) throw Mismatch(source, "[]" + TypeName(type.Element), context, path);
        var result = new JsonArray();
        for (var i = 0; i < list.Count; i++) result.Add(Read(list[i], type.Element, context, context.Item(path, i)) ?? Zero(type.Element));
        return result;
    }

    private static JsonObject? Map(JsonNode? source, MapSchema type, Context context, string path)
    {
        if (source is null) return null;
        if (source is not JsonObject map) throw Mismatch(source, "map[string]" + TypeName(type.Value), context, path);
        var result = new JsonObject();
        foreach (var (name, value) in map.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            result[name] = Read(value, type.Value, context, context.NamesPaths ? $"{path}.{name}" : "") ?? Zero(type.Value);
        }

        return result;
    }

    private static bool Kept(JsonNode? value, FieldSchema field)
    {
        if (value is null) return false;
        if (field.Pointer || field.Always) return true;
        return value switch
        {
            JsonArray list => list.Count > 0,
            JsonObject map => field.Type is not MapSchema || map.Count > 0,
            _ => !Scalars.IsZero(value),
        };
    }

    private static JsonNode? Zero(TypeSchema type) => type switch
    {
        StructSchema s => Struct(new JsonObject(), s, default, ""),
        ScalarSchema s => Scalars.Zero(s.Kind),
        _ => null,
    };

    internal static string TypeName(TypeSchema type) => type switch
    {
        StructSchema s => s.Name.Replace("core.", "v1.", StringComparison.Ordinal),
        ListSchema l => "[]" + TypeName(l.Element),
        MapSchema m => "map[string]" + TypeName(m.Value),
        ScalarSchema s => Scalars.GoName(s.Kind),
        _ => "runtime.RawExtension",
    };

    private static DecodeException Mismatch(JsonNode source, string wanted, Context context, string path) =>
        new(Scalars.CannotUnmarshal(source, wanted, context.Root, path));
}
