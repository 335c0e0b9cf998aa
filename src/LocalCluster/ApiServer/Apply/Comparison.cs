using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>What changed between two values of one type.</summary>
internal sealed record Comparison(FieldSet Added, FieldSet Modified, FieldSet Removed)
{
    private static readonly Comparison Same = new(FieldSet.Empty, FieldSet.Empty, FieldSet.Empty);

    /// <exception cref="ApplyException">A list item lacks its key.</exception>
    public static Comparison Of(JsonNode? before, JsonNode? after, TypeSchema type) => Compare(new Side(true, before), new Side(true, after), type);

    public Comparison Ignoring(FieldSet fields) => new(Added.ExceptBelow(fields), Modified.ExceptBelow(fields), Removed.ExceptBelow(fields));

    // Absent and null differ: a null that is there is a field without a value.
    private readonly record struct Side(bool There, JsonNode? Value)
    {
        public static readonly Side None = new(false, null);
    }

    private static Comparison Compare(Side before, Side after, TypeSchema type)
    {
        var resolved = Types.Resolve(type, after.Value ?? before.Value);
        var empty = IsEmpty(before.Value) && IsEmpty(after.Value);   // an empty container is a leaf, to keep it apart from none
        if (Types.IsAtomic(resolved) || empty) return Leaf(before, after);
        if (type is DeducedSchema && before.Value is not null && after.Value is not null && before.Value.GetValueKind() != after.Value.GetValueKind()) return Leaf(before, after);
        if (resolved is not ListSchema && before.There && after.There && before.Value.SameAs(after.Value)) return Same;
        var below = resolved is ListSchema list ? Items(before.Value as JsonArray, after.Value as JsonArray, list) : Members(before.Value as JsonObject, after.Value as JsonObject, resolved);
        var whole = FieldSet.Leaf;
        if (!before.There) return below with { Added = below.Added.Union(whole) };
        return after.There ? below : below with { Removed = below.Removed.Union(whole) };
    }

    private static bool IsEmpty(JsonNode? value) => value is null or JsonObject { Count: 0 } or JsonArray { Count: 0 };

    private static Comparison Leaf(Side before, Side after)
    {
        if (!before.There) return Same with { Added = FieldSet.Leaf };
        if (!after.There) return Same with { Removed = FieldSet.Leaf };
        return before.Value.SameAs(after.Value) ? Same : Same with { Modified = FieldSet.Leaf };
    }

    private static Comparison Members(JsonObject? before, JsonObject? after, TypeSchema type)
    {
        var names = (before ?? []).Select(m => m.Key).Union((after ?? []).Select(m => m.Key)).ToArray();
        return Gather(names.Select(n => (PathElement.Field(n), Compare(Member(before, n), Member(after, n), Types.Field(type, n)))));
    }

    private static Side Member(JsonObject? map, string name) => map is not null && map.TryGetPropertyValue(name, out var value) ? new Side(true, value) : Side.None;

    private static Comparison Items(JsonArray? before, JsonArray? after, ListSchema list)
    {
        var (old, now) = (Index(before, list), Index(after, list));
        return Gather(old.Keys.Union(now.Keys).Select(e => (e, Compare(Find(old, e), Find(now, e), list.Element))));
    }

    private static Side Find(Dictionary<string, JsonNode?> items, string element) => items.TryGetValue(element, out var value) ? new Side(true, value) : Side.None;

    internal static Dictionary<string, JsonNode?> Index(JsonArray? items, ListSchema list)
    {
        var index = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var item in items ?? []) index[PathElement.Of(item, list)!] = item;
        return index;
    }

    private static Comparison Gather(IEnumerable<(string Element, Comparison Below)> parts)
    {
        var all = parts.ToArray();
        return new(
            FieldSet.Of(false, all.Select(p => KeyValuePair.Create(p.Element, p.Below.Added))),
            FieldSet.Of(false, all.Select(p => KeyValuePair.Create(p.Element, p.Below.Modified))),
            FieldSet.Of(false, all.Select(p => KeyValuePair.Create(p.Element, p.Below.Removed))));
    }
}
