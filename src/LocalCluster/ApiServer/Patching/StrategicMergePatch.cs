using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Patching;

/// <summary>
/// Kubernetes' strategic merge patch: a merge patch that knows from the type which lists merge by item, and under which key; with the
/// directives <c>$patch</c>, <c>$retainKeys</c>, <c>$deleteFromPrimitiveList</c> and <c>$setElementOrder</c>.
/// </summary>
public static class StrategicMergePatch
{
    private const string Directive = "$patch";
    private const string RetainKeys = "$retainKeys";
    private const string DeleteFrom = "$deleteFromPrimitiveList/";
    private const string Order = "$setElementOrder/";

    /// <summary>Merges <paramref name="patch"/> into <paramref name="target"/>, which is consumed.</summary>
    /// <exception cref="PatchException">A directive is unknown or misplaced, or a list item lacks its merge key.</exception>
    public static JsonObject Apply(JsonObject target, JsonObject patch, TypeSchema type) => MergeMap(target, patch, type);

    private static JsonObject MergeMap(JsonObject target, JsonObject patch, TypeSchema type)
    {
        switch (patch[Directive].Str())
        {
            case "replace": return Cleaned(patch);
            case "delete": return [];
            case null when patch.ContainsKey(Directive): throw Bad("$patch directive must be a string");
            case null or "merge": break;
            case var other: throw Bad($"unknown patch type {other} found in the patch");
        }

        Retain(target, patch);
        foreach (var (name, value) in patch)
        {
            if (name is Directive or RetainKeys || name.StartsWith(Order, StringComparison.Ordinal)) continue;
            if (name.StartsWith(DeleteFrom, StringComparison.Ordinal)) DeletePrimitives(target, name[DeleteFrom.Length..], value);
            else MergeMember(target, patch, name, value, type);
        }

        return target;
    }

    private static void MergeMember(JsonObject target, JsonObject patch, string name, JsonNode? value, TypeSchema type)
    {
        var field = (type as StructSchema)?.Field(name);
        var below = field?.Type ?? (type as MapSchema)?.Value ?? RawSchema.Instance;
        var old = target[name];
        switch (value)
        {
            case null:
                target.Remove(name);
                return;
            case JsonObject change when old is JsonObject map && field?.Strategies?.Contains("replace") != true:
                target.Remove(name);
                target[name] = MergeMap(map, change, below);
                return;
            case JsonArray change when field?.Merges == true:
                target.Remove(name);
                var before = (old as JsonArray)?.Select(i => KeyOf(i, field)).ToList() ?? [];
                var merged = MergeList(old as JsonArray ?? [], change, field, below);
                target[name] = Ordered(merged, patch[Order + name] as JsonArray ?? change, before, field);
                return;
            default:
                target[name] = value is JsonObject whole ? Cleaned(whole) : value.DeepClone();
                return;
        }
    }

    private static JsonArray MergeList(JsonArray target, JsonArray patch, FieldSchema field, TypeSchema type)
    {
        var element = (type as ListSchema)?.Element ?? RawSchema.Instance;
        if (field.MergeKey is not { } key) return Union(target, patch);
        if (patch.OfType<JsonObject>().Any(i => i[Directive].Str() == "replace"))
        {
            return new JsonArray([.. patch.OfType<JsonObject>().Where(i => i[Directive] is null).Select(Cleaned)]);
        }

        foreach (var item in patch)
        {
            if (item is not JsonObject change) throw Bad("expected an object in a list merged by key");
            var at = IndexOf(target, key, change[key] ?? throw Bad($"map: {change.ToJsonString(JsonText.Compact)} does not contain declared merge key: {key}"));
            if (change[Directive].Str() == "delete")
            {
                if (at >= 0) target.RemoveAt(at);
            }
            else if (at < 0)
            {
                target.Add(MergeMap([], change, element));
            }
            else
            {
                var old = (JsonObject)target[at]!;
                target[at] = null;
                target[at] = MergeMap(old, change, element);
            }
        }

        return target;
    }

    private static JsonArray Union(JsonArray target, JsonArray patch)
    {
        foreach (var item in patch)
        {
            if (!target.Any(t => t.SameAs(item))) target.Add(item?.DeepClone());
        }

        return target;
    }

    // Items that the patch names come in its order. Each other item goes in front of the first of those that it preceded, or to the end.
    private static JsonArray Ordered(JsonArray merged, JsonArray order, List<JsonNode?> before, FieldSchema field)
    {
        var wanted = order.Select(o => KeyOf(o, field)).ToList();
        int Rank(JsonNode? item) => wanted.FindIndex(w => w.SameAs(KeyOf(item, field)));
        int Place(JsonNode? item) => before.FindIndex(b => b.SameAs(KeyOf(item, field)));
        var items = merged.ToArray();
        merged.Clear();
        var named = new Queue<JsonNode?>(items.Where(i => Rank(i) >= 0).OrderBy(Rank));
        var others = new Queue<JsonNode?>(items.Where(i => Rank(i) < 0));
        while (named.Count + others.Count > 0)
        {
            var otherFirst = named.Count == 0 || others.Count > 0 && Place(named.Peek()) >= 0 && Place(others.Peek()) >= 0 && Place(others.Peek()) < Place(named.Peek());
            merged.Add(otherFirst ? others.Dequeue() : named.Dequeue());
        }

        return merged;
    }

    private static JsonNode? KeyOf(JsonNode? item, FieldSchema field) => field.MergeKey is { } key ? item.At(key)?.DeepClone() : item?.DeepClone();

    private static void Retain(JsonObject target, JsonObject patch)
    {
        if (!patch.TryGetPropertyValue(RetainKeys, out var retain)) return;
        if (retain is not JsonArray keys) throw Bad("$retainKeys must be a list");
        var kept = keys.Select(k => k.Str()).ToHashSet();
        foreach (var name in target.Select(m => m.Key).Where(n => !kept.Contains(n)).ToArray()) target.Remove(name);
    }

    private static void DeletePrimitives(JsonObject target, string name, JsonNode? values)
    {
        if (values is not JsonArray gone) throw Bad($"{DeleteFrom}{name} must be a list");
        if (target[name] is not JsonArray list) return;
        for (var i = list.Count - 1; i >= 0; i--)
        {
            if (gone.Any(g => g.SameAs(list[i]))) list.RemoveAt(i);
        }
    }

    /// <summary>A patch value that meets nothing to merge with: itself, without directives and nulls.</summary>
    private static JsonObject Cleaned(JsonObject patch)
    {
        var result = new JsonObject();
        foreach (var (name, value) in patch)
        {
            if (value is null || IsDirective(name)) continue;
            result[name] = value is JsonObject map ? Cleaned(map) : value.DeepClone();
        }

        return result;
    }

    private static bool IsDirective(string name) =>
        name is Directive or RetainKeys || name.StartsWith(Order, StringComparison.Ordinal) || name.StartsWith(DeleteFrom, StringComparison.Ordinal);

    private static int IndexOf(JsonArray list, string key, JsonNode value)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i].At(key).SameAs(value)) return i;
        }

        return -1;
    }

    private static PatchException Bad(string message) => new(message, malformed: true);
}
