using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>
/// One version of one object: its bytes as they go on the wire, plus what lists and watches filter by. Immutable and shared between readers;
/// nothing is parsed until someone asks for the tree.
/// </summary>
public sealed class StoredObject
{
    private readonly KeyValuePair<string, string>[] _labels;
    private readonly KeyValuePair<string, string>[] _fields;
    private Parsed? _parsed;   // two threads may both parse; either result will do

    private StoredObject(JsonObject tree, string key, long resourceVersion, KeyValuePair<string, string>[] fields)
    {
        Key = key;
        ResourceVersion = resourceVersion;
        Name = tree.Name();
        Namespace = tree.Namespace();
        Uid = tree.Uid();
        _fields = fields;
        _labels = tree.Obj("metadata", "labels") is { } labels ? [.. labels.Select(l => KeyValuePair.Create(l.Key, l.Value.Str() ?? ""))] : [];
        Json = JsonText.ToUtf8(tree);
    }

    /// <summary>Namespace and name, as the store orders them.</summary>
    public string Key { get; }
    public string Name { get; }
    public string Namespace { get; }
    public string Uid { get; }
    public long ResourceVersion { get; }
    public ReadOnlyMemory<byte> Json { get; }
    public IReadOnlyList<KeyValuePair<string, string>> Labels => _labels;

    public string? Label(string name) => Find(_labels, name);

    /// <summary>The value of a selectable field; null when the kind does not select by it.</summary>
    public string? Field(string name) => name switch
    {
        "metadata.name" => Name,
        "metadata.namespace" => Namespace,
        _ => Find(_fields, name),
    };

    /// <summary>A tree of the caller's own. All trees of one object share what was parsed, and each takes apart what is looked at.</summary>
    public JsonObject ToTree() => JsonObject.Create((_parsed ??= new Parsed(JsonElement.Parse(Json.Span))).Root)!;

    /// <summary>Stamps <paramref name="resourceVersion"/> into <paramref name="tree"/> and freezes it.</summary>
    internal static StoredObject Freeze(JsonObject tree, long resourceVersion, KeyValuePair<string, string>[] fields)
    {
        tree.Metadata()["resourceVersion"] = resourceVersion.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return new StoredObject(tree, KeyOf(tree.Namespace(), tree.Name()), resourceVersion, fields);
    }

    internal static string KeyOf(string @namespace, string name) => $"{@namespace}/{name}";

    private sealed record Parsed(JsonElement Root);

    private static string? Find(KeyValuePair<string, string>[] pairs, string name)
    {
        foreach (var (key, value) in pairs)
        {
            if (key == name) return value;
        }

        return null;
    }
}
