using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>The fields that a value sets, and their removal from it: the two walks that server-side apply is made of, besides merging.</summary>
internal static class Ownership
{
    /// <summary>The fields of a value that its author sets: leaves, list items and map entries.</summary>
    public static FieldSet FieldsOf(JsonNode? value, TypeSchema type) => Walk(value, type);

    /// <summary>The value without the members of <paramref name="gone"/>; lists and maps that become empty go too.</summary>
    public static JsonNode? Without(JsonNode? value, FieldSet gone, TypeSchema type)
    {
        if (gone.IsEmpty) return value?.DeepClone();
        return (Types.Resolve(type, value), value) switch
        {
            (ListSchema { Kind: not ListKind.Atomic } list, JsonArray items) => WithoutItems(items, gone, list),
            (StructSchema or MapSchema or DeducedSchema, JsonObject map) when !Types.IsAtomic(type) => WithoutMembers(map, gone, type),
            _ => value?.DeepClone(),
        };
    }

    /// <summary>Adds every named struct field on the way to a member, so that removing members leaves no empty shells.</summary>
    public static FieldSet WithNamedFields(FieldSet set, TypeSchema type) => set.Map((element, below) =>
    {
        var inner = WithNamedFields(below, Types.Below(type, element));
        return element[0] == 'f' && type is StructSchema s && s.Field(element[2..]) is not null ? inner.AsMember() : inner;
    });

    private static FieldSet Walk(JsonNode? value, TypeSchema type)
    {
        var shape = Types.Resolve(type, value);
        if (Types.IsAtomic(shape)) return FieldSet.Leaf;
        if (shape is ListSchema list) return value is JsonArray items ? FieldSet.Of(false, Items(items, list)) : FieldSet.Empty;
        return value is JsonObject map ? FieldSet.Of(false, map.Select(m => KeyValuePair.Create(PathElement.Field(m.Key), Member(m.Key, m.Value, type)))) : FieldSet.Empty;
    }

    private static FieldSet Member(string name, JsonNode? value, TypeSchema type)
    {
        var below = Walk(value, Types.Field(type, name));
        var named = (type as StructSchema)?.Field(name) is not null;
        return value is null or JsonObject { Count: 0 } || !named ? below.AsMember() : below;
    }

    private static IEnumerable<KeyValuePair<string, FieldSet>> Items(JsonArray items, ListSchema list)
    {
        foreach (var item in items) yield return KeyValuePair.Create(PathElement.Of(item, list)!, Walk(item, list.Element).AsMember());
    }

    private static JsonArray? WithoutItems(JsonArray items, FieldSet gone, ListSchema list)
    {
        var kept = new JsonArray();
        foreach (var item in items)
        {
            var below = gone.Child(PathElement.Of(item, list)!);
            if (!below.IsMember) kept.Add(Without(item, below, list.Element));
        }

        return kept.Count > 0 ? kept : null;
    }

    private static JsonObject? WithoutMembers(JsonObject map, FieldSet gone, TypeSchema type)
    {
        var kept = new JsonObject();
        foreach (var (name, value) in map)
        {
            var below = gone.Child(PathElement.Field(name));
            if (!below.IsMember) kept[name] = Without(value, below, Types.Field(type, name));
        }

        return kept.Count > 0 ? kept : null;
    }
}
