using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Apply;

/// <summary>
/// A set of field paths, as a tree over path elements in their wire form: <c>f:name</c> a field, <c>k:{"name":"x"}</c> a list item by key,
/// <c>v:"x"</c> a set member, <c>i:0</c> an index. A node can be a member itself, and have members below it. Immutable.
/// </summary>
public sealed class FieldSet
{
    public static readonly FieldSet Empty = new(false, []);

    /// <summary>The set of nothing but its own root, which marks a leaf below some path.</summary>
    public static readonly FieldSet Leaf = new(true, []);

    private static readonly Comparer<KeyValuePair<string, FieldSet>> ByElement = Comparer<KeyValuePair<string, FieldSet>>.Create((a, b) => string.CompareOrdinal(a.Key, b.Key));

    // Sorted, without doubles: sets are made and merged with every write, and a search tree for each node costs ten times as much.
    private readonly KeyValuePair<string, FieldSet>[] _children;

    private FieldSet(bool isMember, KeyValuePair<string, FieldSet>[] children)
    {
        IsMember = isMember;
        _children = children;
    }

    /// <summary>The path to this node is in the set.</summary>
    public bool IsMember { get; }

    /// <summary>What lies below, by element.</summary>
    public IReadOnlyList<KeyValuePair<string, FieldSet>> Children => _children;

    public bool IsEmpty => !IsMember && _children.Length == 0;

    /// <summary>A node; empty children are left out, and of two with the same element the later one counts.</summary>
    public static FieldSet Of(bool isMember, IEnumerable<KeyValuePair<string, FieldSet>> children)
    {
        var kept = new List<KeyValuePair<string, FieldSet>>();
        var isSorted = true;
        foreach (var child in children)
        {
            if (child.Value.IsEmpty) continue;
            isSorted = isSorted && (kept.Count == 0 || string.CompareOrdinal(kept[^1].Key, child.Key) < 0);
            kept.Add(child);
        }

        return Made(isMember, isSorted ? kept : Sorted(kept));
    }

    public FieldSet Child(string element) => Find(element) ?? Empty;

    public FieldSet Union(FieldSet other)
    {
        if (other.IsEmpty || ReferenceEquals(this, other)) return this;
        if (IsEmpty) return other;
        var merged = new List<KeyValuePair<string, FieldSet>>(_children.Length + other._children.Length);
        int mine = 0, theirs = 0;
        while (mine < _children.Length || theirs < other._children.Length)
        {
            var order = mine == _children.Length ? 1 : theirs == other._children.Length ? -1 : string.CompareOrdinal(_children[mine].Key, other._children[theirs].Key);
            merged.Add(order < 0 ? _children[mine] : order > 0 ? other._children[theirs] : KeyValuePair.Create(_children[mine].Key, _children[mine].Value.Union(other._children[theirs].Value)));
            if (order <= 0) mine++;
            if (order >= 0) theirs++;
        }

        return Made(IsMember || other.IsMember, merged);
    }

    /// <summary>This set and its own root.</summary>
    public FieldSet AsMember() => IsMember ? this : _children.Length == 0 ? Leaf : new FieldSet(true, _children);

    /// <summary>This set with every child changed; one that becomes empty is left out.</summary>
    public FieldSet Map(Func<string, FieldSet, FieldSet> change) => Each(IsMember, change);

    public FieldSet Intersect(FieldSet other) => other.IsEmpty || IsEmpty ? Empty : Each(IsMember && other.IsMember, (element, below) => other.Find(element) is { } there ? below.Intersect(there) : Empty);

    /// <summary>Members that are not members of <paramref name="other"/>.</summary>
    public FieldSet Except(FieldSet other) => other.IsEmpty || IsEmpty ? this : Each(IsMember && !other.IsMember, (element, below) => below.Except(other.Child(element)));

    /// <summary>Members that are neither members of <paramref name="other"/> nor below one.</summary>
    public FieldSet ExceptBelow(FieldSet other)
    {
        if (other.IsMember) return Empty;
        return other.IsEmpty || IsEmpty ? this : Each(IsMember, (element, below) => below.ExceptBelow(other.Child(element)));
    }

    public bool SetEquals(FieldSet other)
    {
        if (ReferenceEquals(this, other)) return true;
        if (IsMember != other.IsMember || _children.Length != other._children.Length) return false;
        for (var i = 0; i < _children.Length; i++)
        {
            if (_children[i].Key != other._children[i].Key || !_children[i].Value.SetEquals(other._children[i].Value)) return false;
        }

        return true;
    }

    /// <summary>Every member, as the elements that lead to it.</summary>
    public IEnumerable<IReadOnlyList<string>> Paths()
    {
        if (IsMember) yield return [];
        foreach (var (element, below) in _children)
        {
            foreach (var path in below.Paths()) yield return [element, .. path];
        }
    }

    /// <summary>The <c>fieldsV1</c> form.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        if (IsMember && _children.Length > 0) json["."] = new JsonObject();
        foreach (var (element, below) in _children) json[element] = below.ToJson();
        return json;
    }

    /// <summary>Reads the <c>fieldsV1</c> form; what is not of that form is left out.</summary>
    public static FieldSet FromJson(JsonNode? json, bool isRoot = true)
    {
        if (json is not JsonObject map) return Empty;
        var children = map.Where(m => m.Key != "." && m.Key.Length > 1 && m.Key[1] == ':').Select(m => KeyValuePair.Create(PathElement.Canonical(m.Key), FromJson(m.Value, false)));
        return Of(!isRoot && (map.Count == 0 || map.ContainsKey(".")), children);
    }
    private static FieldSet Made(bool isMember, List<KeyValuePair<string, FieldSet>> children) => children.Count > 0 ? new FieldSet(isMember, [.. children]) : isMember ? Leaf : Empty;

    private static List<KeyValuePair<string, FieldSet>> Sorted(List<KeyValuePair<string, FieldSet>> children)
    {
        var sorted = new List<KeyValuePair<string, FieldSet>>(children.Count);
        foreach (var child in children.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            if (sorted.Count > 0 && sorted[^1].Key == child.Key) sorted[^1] = child;
            else sorted.Add(child);
        }

        return sorted;
    }

    /// <summary>This set with its children changed; itself where nothing changes.</summary>
    private FieldSet Each(bool isMember, Func<string, FieldSet, FieldSet> change)
    {
        var changed = isMember != IsMember;
        var kept = new List<KeyValuePair<string, FieldSet>>(_children.Length);
        foreach (var (element, below) in _children)
        {
            var next = change(element, below);
            changed |= !ReferenceEquals(next, below);
            if (!next.IsEmpty) kept.Add(KeyValuePair.Create(element, next));
        }

        return changed ? Made(isMember, kept) : this;
    }

    private FieldSet? Find(string element)
    {
        var at = Array.BinarySearch(_children, KeyValuePair.Create(element, Empty), ByElement);
        return at < 0 ? null : _children[at].Value;
    }
}
