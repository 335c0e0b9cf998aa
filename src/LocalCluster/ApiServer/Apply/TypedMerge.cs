using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Merges what someone applies into what is there: maps by entry, keyed lists by item, everything else by replacement.</summary>
internal static class TypedMerge
{
    public static JsonNode? Merge(JsonNode? live, JsonNode? applied, TypeSchema type)
    {
        if (Types.IsAtomic(type) || live is null) return applied?.DeepClone();
        return (Types.Resolve(type, applied), live, applied) switch
        {
            (ListSchema { Kind: not ListKind.Atomic } list, JsonArray a, JsonArray b) => Items(a, b, list),
            (StructSchema or MapSchema or DeducedSchema, JsonObject a, JsonObject b) => Members(a, b, type),
            _ => applied?.DeepClone(),
        };
    }

    private static JsonObject Members(JsonObject live, JsonObject applied, TypeSchema type)
    {
        var result = new JsonObject();
        foreach (var (name, value) in live) result[name] = applied.TryGetPropertyValue(name, out var change) ? Merge(value, change, Types.Field(type, name)) : value?.DeepClone();
        foreach (var (name, value) in applied)
        {
            if (!live.ContainsKey(name)) result[name] = value?.DeepClone();
        }

        return result;
    }

    // Applied items keep their order among themselves; items that only the live list has stay where they were between the shared ones.
    private static JsonArray Items(JsonArray live, JsonArray applied, ListSchema list)
    {
        var (old, change) = (Comparison.Index(live, list), Comparison.Index(applied, list));
        var result = new JsonArray();
        foreach (var element in Order([.. live.Select(i => PathElement.Of(i, list)!)], [.. applied.Select(i => PathElement.Of(i, list)!)]))
        {
            result.Add(change.TryGetValue(element, out var now) ? Merge(old.GetValueOrDefault(element), now, list.Element) : old[element]?.DeepClone());
        }

        return result;
    }

    private static List<string> Order(string[] live, string[] applied)
    {
        var (inLive, inApplied) = (live.ToHashSet(StringComparer.Ordinal), applied.ToHashSet(StringComparer.Ordinal));
        var shared = new Queue<string>(applied.Where(inLive.Contains));
        var order = new List<string>();
        var placed = new HashSet<string>(StringComparer.Ordinal);
        var (l, a) = (0, 0);
        while (l < live.Length || a < applied.Length)
        {
            if (l < live.Length && (!inApplied.Contains(live[l]) || placed.Contains(live[l])))
            {
                if (placed.Add(live[l])) order.Add(live[l]);
                l++;
                continue;
            }

            // A shared item whose turn has not come waits for it.
            if (l < live.Length && a < applied.Length && live[l] != applied[a] && shared.TryPeek(out var next) && next != live[l])
            {
                l++;
                continue;
            }

            if (a == applied.Length) break;
            if (placed.Add(applied[a])) order.Add(applied[a]);
            if (shared.TryPeek(out var due) && due == applied[a]) shared.Dequeue();
            a++;
        }

        return order;
    }
}
