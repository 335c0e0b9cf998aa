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

    private readonly SortedDictionary<string, FieldSet> _children;

    private FieldSet(bool isMember, SortedDictionary<string, FieldSet> children)
    {
        IsMember = isMember;
        _children = children;
    }

    /// <summary>The path to this node is in the set.</summary>
    public bool IsMember { get; }

    public IReadOnlyDictionary<string, FieldSet> Children => _children;

    public bool IsEmpty => !IsMember && _children.Count == 0;

    /// <summary>A node; empty children are left out.</summary>
    public static FieldSet Of(bool isMember, IEnumerable<KeyValuePair<string, FieldSet>> children)
    {
        var kept = new SortedDictionary<string, FieldSet>(StringComparer.Ordinal);
        foreach (var (element, below) in children)
        {
            if (!below.IsEmpty) kept[element] = below;
        }

        return kept.Count > 0 ? new FieldSet(isMember, kept) : isMember ? Leaf : Empty;
    }

    public FieldSet Child(string element) => _children.GetValueOrDefault(element, Empty);

    public FieldSet Union(FieldSet other)
    {
        if (other.IsEmpty) return this;
        if (IsEmpty) return other;
        var elements = _children.Keys.Union(other._children.Keys);
        return Of(IsMember || other.IsMember, elements.Select(e => KeyValuePair.Create(e, Child(e).Union(other.Child(e)))));
    }

    public FieldSet Intersect(FieldSet other) =>
        Of(IsMember && other.IsMember, _children.Where(c => other._children.ContainsKey(c.Key)).Select(c => KeyValuePair.Create(c.Key, c.Value.Intersect(other.Child(c.Key)))));

    /// <summary>Members that are not members of <paramref name="other"/>.</summary>
    public FieldSet Except(FieldSet other)
    {
        if (other.IsEmpty || IsEmpty) return this;
        return Of(IsMember && !other.IsMember, _children.Select(c => KeyValuePair.Create(c.Key, c.Value.Except(other.Child(c.Key)))));
    }

    /// <summary>Members that are neither members of <paramref name="other"/> nor below one.</summary>
    public FieldSet ExceptBelow(FieldSet other)
    {
        if (other.IsMember) return Empty;
        return other.IsEmpty ? this : Of(IsMember, _children.Select(c => KeyValuePair.Create(c.Key, c.Value.ExceptBelow(other.Child(c.Key)))));
    }

    public bool SetEquals(FieldSet other) =>
        IsMember == other.IsMember && _children.Count == other._children.Count &&
        _children.All(c => other._children.TryGetValue(c.Key, out var there) && c.Value.SetEquals(there));

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
        if (IsMember && _children.Count > 0) json["."] = new JsonObject();
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
}
