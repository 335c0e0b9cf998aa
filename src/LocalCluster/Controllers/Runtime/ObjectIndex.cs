using System.Text.Json.Nodes;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>Objects by a value computed from them. Guarded by its cache's lock.</summary>
internal sealed class ObjectIndex(Func<JsonObject, IEnumerable<string>> valuesOf)
{
    private readonly Dictionary<string, Dictionary<ObjectKey, JsonObject>> _entries = new(StringComparer.Ordinal);

    public IReadOnlyList<JsonObject> Find(string value) => _entries.TryGetValue(value, out var found) ? [.. found.Values] : [];

    public void Update(ObjectChange change)
    {
        if (change.Before is { } before)
        {
            foreach (var value in valuesOf(before)) Remove(value, before.Key);
        }

        if (change.After is not { } after) return;
        foreach (var value in valuesOf(after))
        {
            if (!_entries.TryGetValue(value, out var entry)) _entries[value] = entry = [];
            entry[after.Key] = after;
        }
    }

    private void Remove(string value, ObjectKey key)
    {
        if (!_entries.TryGetValue(value, out var entry)) return;
        entry.Remove(key);
        if (entry.Count == 0) _entries.Remove(value);
    }
}
