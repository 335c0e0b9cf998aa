using System.Collections.Immutable;
using System.Diagnostics;

namespace Opt.Kubernetes;

/// <summary>One change of an informer's store. <see cref="New"/> is null when the object is gone; <see cref="Old"/> then is its last known state.</summary>
public readonly record struct InformerChange<T>(ObjectKey Key, T? Old, T? New) where T : class;

/// <summary>
/// The state of a resource at one version, immutable: a decision that reads several objects from one snapshot sees them at one moment.
/// Enumerates in order of namespace and name.
/// </summary>
public sealed class InformerSnapshot<T> where T : class
{
    private readonly ResourceDefinition<T> _definition;
    private readonly ImmutableSortedDictionary<ObjectKey, T> _items;
    private readonly ImmutableDictionary<string, InformerIndex<T>> _indexes;

    private InformerSnapshot(ResourceDefinition<T> definition, ImmutableSortedDictionary<ObjectKey, T> items, ImmutableDictionary<string, InformerIndex<T>> indexes, string? version) =>
        (_definition, _items, _indexes, ResourceVersion) = (definition, items, indexes, version);

    /// <summary>The version up to which everything is in; null before the first complete list.</summary>
    public string? ResourceVersion { get; }

    public int Count => _items.Count;

    public IEnumerable<T> Items => _items.Values;

    public IEnumerable<ObjectKey> Keys => _items.Keys;

    public T? Find(ObjectKey key) => _items.GetValueOrDefault(key);

    /// <summary>The objects that <paramref name="index"/> files under <paramref name="value"/>.</summary>
    /// <exception cref="ArgumentException">The informer was made without that index.</exception>
    public IEnumerable<T> By(string index, string value) =>
        _indexes.TryGetValue(index, out var found)
            ? found.Find(value).Select(key => _items[key])
            : throw new ArgumentException($"The informer of {_definition} has no index \"{index}\"; it has: {string.Join(", ", _indexes.Keys.Order(StringComparer.Ordinal))}.", nameof(index));

    internal static InformerSnapshot<T> Empty(ResourceDefinition<T> definition, IReadOnlyDictionary<string, Func<T, IEnumerable<string>>> indexes) =>
        new(definition, ImmutableSortedDictionary<ObjectKey, T>.Empty, indexes.ToImmutableDictionary(i => i.Key, i => InformerIndex<T>.Empty(i.Value)), null);

    /// <summary>The next snapshot, and what changed from this one to it.</summary>
    internal (InformerSnapshot<T> Next, IReadOnlyList<InformerChange<T>> Changes) Apply(InformerDelta<T> delta) => delta switch
    {
        Upsert<T> u => Apply([new(u.Key, Find(u.Key), u.Item)], u.ResourceVersion),
        Remove<T> r when Find(r.Key) is not null => Apply([new(r.Key, r.Last, null)], r.ResourceVersion),
        Remove<T> or Progress<T> => Apply([], delta.ResourceVersion),
        Replace<T> all => Apply(Difference(all.All), all.ResourceVersion),
        _ => throw new UnreachableException(delta.GetType().Name),
    };

    private List<InformerChange<T>> Difference(IEnumerable<T> all)
    {
        var changes = new List<InformerChange<T>>();
        var present = new HashSet<ObjectKey>();
        foreach (var item in all)
        {
            var key = _definition.KeyOf(item);
            present.Add(key);
            var old = Find(key);
            if (old is null || VersionOf(old) != VersionOf(item) || UidOf(old) != UidOf(item)) changes.Add(new(key, old, item));
        }

        changes.AddRange(_items.Where(i => !present.Contains(i.Key)).Select(i => new InformerChange<T>(i.Key, i.Value, null)));
        return changes;
    }

    private (InformerSnapshot<T>, IReadOnlyList<InformerChange<T>>) Apply(List<InformerChange<T>> changes, string version)
    {
        var items = _items.ToBuilder();
        foreach (var change in changes)
        {
            if (change.New is null) items.Remove(change.Key);
            else items[change.Key] = change.New;
        }

        var indexes = changes.Count == 0 ? _indexes : _indexes.ToImmutableDictionary(i => i.Key, i => i.Value.Apply(changes, _items));
        return (new(_definition, items.ToImmutable(), indexes, version), changes);
    }

    private string? VersionOf(T item) => _definition.MetadataOf(item).ResourceVersion;

    private string? UidOf(T item) => _definition.MetadataOf(item).Uid;
}

/// <summary>Keys filed under values. An object may be filed under several values, or none.</summary>
internal sealed class InformerIndex<T>(Func<T, IEnumerable<string>> valuesOf, ImmutableDictionary<string, ImmutableSortedSet<ObjectKey>> keys) where T : class
{
    public static InformerIndex<T> Empty(Func<T, IEnumerable<string>> valuesOf) => new(valuesOf, ImmutableDictionary.Create<string, ImmutableSortedSet<ObjectKey>>(StringComparer.Ordinal));

    public ImmutableSortedSet<ObjectKey> Find(string value) => keys.GetValueOrDefault(value, []);

    /// <param name="before">What was stored, by which the old entries are found: a change may carry a newer last state.</param>
    public InformerIndex<T> Apply(List<InformerChange<T>> changes, ImmutableSortedDictionary<ObjectKey, T> before)
    {
        var next = keys.ToBuilder();
        foreach (var change in changes)
        {
            if (before.TryGetValue(change.Key, out var old))
            {
                foreach (var value in valuesOf(old)) Unfile(next, value, change.Key);
            }

            if (change.New is null) continue;
            foreach (var value in valuesOf(change.New)) next[value] = next.GetValueOrDefault(value, []).Add(change.Key);
        }

        return new(valuesOf, next.ToImmutable());
    }

    private static void Unfile(ImmutableDictionary<string, ImmutableSortedSet<ObjectKey>>.Builder next, string value, ObjectKey key)
    {
        if (!next.TryGetValue(value, out var filed)) return;
        filed = filed.Remove(key);
        if (filed.IsEmpty) next.Remove(value);
        else next[value] = filed;
    }
}
