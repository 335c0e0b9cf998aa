using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Kinds;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>Keeps the books of who owns which field, in <c>metadata.managedFields</c>.</summary>
public static class ManagedFields
{
    // Nobody owns identity and what the server writes.
    private static readonly FieldSet Unowned = FieldSet.Of(false,
    [
        KeyValuePair.Create("f:apiVersion", FieldSet.Leaf),
        KeyValuePair.Create("f:kind", FieldSet.Leaf),
        KeyValuePair.Create("f:metadata", FieldSet.Of(true, ((string[])["name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion", "clusterName"])
            .Select(n => KeyValuePair.Create("f:" + n, FieldSet.Leaf)))),
    ]);

    private static readonly ConditionalWeakTable<ResourceKind, ConcurrentDictionary<string, FieldSet>> Resets = [];

    /// <summary>A creator cannot say who owns what.</summary>
    public static void Strip(JsonObject item) => item.Metadata().Remove("managedFields");

    /// <summary>
    /// Records an ordinary write: what it changed now belongs to <paramref name="manager"/> and to nobody else. With no
    /// <paramref name="old"/> the write creates the object.
    /// </summary>
    public static void RecordUpdate(ResourceKind kind, JsonObject? old, JsonObject item, string manager, string? subresource, TimeProvider clock)
    {
        var entries = Read(item) is { Count: > 0 } given ? given : old is null ? [] : Read(old);
        if (old is not null && IsReset(item)) entries = [];
        else if (old is not null && entries.Count == 0)
        {
            item.Metadata().Remove("managedFields");
            return;
        }

        try
        {
            var comparison = Comparison.Of(Bare(old ?? Nothing(kind)), Bare(item), kind.Type).Ignoring(Reset(kind, subresource));
            var taken = comparison.Added.Union(comparison.Modified).Except(Unowned);
            var lost = comparison.Added.Union(comparison.Modified).Union(comparison.Removed);
            var kept = entries.Select(e => e with { Fields = e.Fields.Except(lost).Except(Unowned) }).Where(e => !e.Fields.IsEmpty).ToList();
            if (!taken.IsEmpty) Take(kept, new ManagerEntry(manager, false, kind.ApiVersion, subresource ?? "", TimeOf(subresource, clock), taken), entries);
            Write(item, Capped(kept));
        }
        catch (ApplyException)
        {
            // Ownership cannot be told for an object that breaks its list keys; validation refuses it, or it predates the rule.
            Write(item, entries);
        }
    }

    /// <summary>Equal except for when managers last changed something.</summary>
    public static bool SameButForTimes(JsonObject a, JsonObject b)
    {
        if (a.Count != b.Count) return false;
        foreach (var (name, value) in a)
        {
            if (name != "metadata" && !(b.TryGetPropertyValue(name, out var other) && value.SameAs(other))) return false;
        }

        return TimelessMetadata(a).SameAs(TimelessMetadata(b));
    }

    internal static List<ManagerEntry> Read(JsonObject item) => [.. (item.Arr("metadata", "managedFields") ?? []).Select(ManagerEntry.Read).OfType<ManagerEntry>()];

    internal static void Write(JsonObject item, IEnumerable<ManagerEntry> entries)
    {
        var sorted = entries.OrderBy(e => e.Applied ? 0 : 1).ThenBy(e => e.Time ?? "", StringComparer.Ordinal)
            .ThenBy(e => e.Manager, StringComparer.Ordinal).ThenBy(e => e.ApiVersion, StringComparer.Ordinal).ThenBy(e => e.Subresource, StringComparer.Ordinal).ToArray();
        if (sorted.Length == 0) item.Metadata().Remove("managedFields");
        else item.Metadata()["managedFields"] = new JsonArray([.. sorted.Select(e => e.Write())]);
    }

    /// <summary>The fields that a write through a subresource (or the main resource) does not own.</summary>
    internal static FieldSet Reset(ResourceKind kind, string? subresource) => Resets.GetOrCreateValue(kind).GetOrAdd(subresource ?? "", _ => ResetOf(kind, subresource));

    private static FieldSet ResetOf(ResourceKind kind, string? subresource) =>
        FieldSet.Of(false, kind.Rules.ResetFields(subresource).Select(Path).GroupBy(p => p.Key).Select(g => KeyValuePair.Create(g.Key, g.Aggregate(FieldSet.Empty, (all, one) => all.Union(one.Value)))));

    internal static FieldSet WithoutUnowned(FieldSet set) => set.Except(Unowned);

    /// <summary>The object without what ownership is not about.</summary>
    internal static JsonObject Bare(JsonObject item)
    {
        var bare = new JsonObject();
        foreach (var (name, value) in item)
        {
            if (name == "metadata" && value is JsonObject metadata) bare[name] = Without(metadata, "managedFields");
            else if (name is not ("apiVersion" or "kind")) bare[name] = value?.DeepClone();
        }

        return bare;
    }

    private static JsonObject Without(JsonObject map, string left)
    {
        var rest = new JsonObject();
        foreach (var (name, value) in map)
        {
            if (name != left) rest[name] = value?.DeepClone();
        }

        return rest;
    }

    /// <summary>An object of the kind with nothing in it but what is always written.</summary>
    internal static JsonObject Nothing(ResourceKind kind) => kind.Custom ? new JsonObject { ["metadata"] = new JsonObject() } : Canonical.Object([], kind.Type);

    // The real server keeps no time for what was done through the scale of an object.
    private static string? TimeOf(string? subresource, TimeProvider clock) => subresource == "scale" ? null : Scalars.Time(clock.GetUtcNow());

    private static KeyValuePair<string, FieldSet> Path(string dotted)
    {
        var names = dotted.Split('.');
        var set = names.Reverse().Aggregate(FieldSet.Leaf, (below, name) => FieldSet.Of(false, [KeyValuePair.Create("f:" + name, below)]));
        return set.Children[0];
    }

    private static void Take(List<ManagerEntry> kept, ManagerEntry taker, List<ManagerEntry> before)
    {
        var index = kept.FindIndex(e => e.Identity == taker.Identity);
        if (index < 0)
        {
            kept.Add(taker);
            return;
        }

        var merged = kept[index] with { Fields = kept[index].Fields.Union(taker.Fields), Time = taker.Time };
        // Setting again what one already owns is no news.
        var old = before.First(e => e.Identity == taker.Identity);
        kept[index] = merged.Fields.SetEquals(old.Fields) && taker.Fields.IsEmpty ? old : merged;
    }

    private static List<ManagerEntry> Capped(List<ManagerEntry> entries)
    {
        const string Ancient = "ancient-changes";
        var updaters = entries.Where(e => !e.Applied).OrderBy(e => e.Time ?? "", StringComparer.Ordinal).ToList();
        if (updaters.Count <= ManagerEntry.MaxUpdaters) return entries;
        var merged = updaters.Take(updaters.Count - ManagerEntry.MaxUpdaters + 1).ToArray();
        var bucket = merged.GroupBy(e => e.ApiVersion).Select(g => new ManagerEntry(Ancient, false, g.Key, "", g.Max(e => e.Time), g.Aggregate(FieldSet.Empty, (all, e) => all.Union(e.Fields))));
        return [.. entries.Except(merged), .. bucket];
    }

    // A single empty entry is how a client asks to start the books anew.
    private static bool IsReset(JsonObject item) => item.Arr("metadata", "managedFields") is [JsonObject entry] && string.IsNullOrEmpty(entry.Str("manager")) && string.IsNullOrEmpty(entry.Str("operation"));

    private static JsonNode? TimelessMetadata(JsonObject item)
    {
        var copy = item["metadata"]?.DeepClone();
        foreach (var entry in copy.Items("managedFields")) entry.Remove("time");
        return copy;
    }
}
