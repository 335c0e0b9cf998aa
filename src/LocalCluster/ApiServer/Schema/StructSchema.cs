using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>A struct with named fields in wire order. Fields are added once while the catalogue is read (types may refer to each other in circles).</summary>
public sealed record StructSchema(string Name) : TypeSchema
{
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);
    private readonly List<FieldSchema> _fields = [];

    public bool Atomic { get; init; }

    /// <summary>What fields outside <see cref="Fields"/> are: null when there are none.</summary>
    public TypeSchema? Unknown { get; init; }

    public IReadOnlyList<FieldSchema> Fields => _fields;

    public FieldSchema? Field(string name) => _byName.TryGetValue(name, out var at) ? _fields[at] : null;

    /// <summary>Marks, by position in <see cref="Fields"/>, those that <paramref name="source"/> has and those that are always written.</summary>
    internal void Mark(JsonObject source, Span<bool> written)
    {
        for (var i = 0; i < written.Length; i++) written[i] = _fields[i].Always;
        for (var i = 0; i < source.Count; i++)
        {
            if (_byName.TryGetValue(source.GetAt(i).Key, out var at)) written[at] = true;
        }
    }

    public bool Equals(StructSchema? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => Name.GetHashCode(StringComparison.Ordinal);

    internal StructSchema Add(FieldSchema field)
    {
        _byName.Add(field.Name, _fields.Count);
        _fields.Add(field);
        return this;
    }
}

/// <summary>One field of a struct.</summary>
/// <param name="Name">Name on the wire.</param>
/// <param name="Type">Its shape.</param>
/// <param name="Pointer">An explicit zero value is kept, because absence means something else.</param>
/// <param name="Always">Written even when empty, with its zero value.</param>
/// <param name="Required">Required in OpenAPI.</param>
/// <param name="MergeKey">The key by which strategic merge pairs items, or null.</param>
/// <param name="Strategies">Strategic merge directives: merge, replace, retainKeys.</param>
/// <param name="Default">Default in OpenAPI; for key fields it fills absent keys of list items.</param>
/// <param name="OrBool">A boolean is accepted in place of the struct.</param>
/// <param name="Proto">Protobuf field number, preceded by those of the structs that JSON inlines around the field.</param>
public sealed record FieldSchema(
    string Name,
    TypeSchema Type,
    bool Pointer = false,
    bool Always = false,
    bool Required = false,
    string? MergeKey = null,
    IReadOnlyList<string>? Strategies = null,
    string? Default = null,
    bool OrBool = false,
    IReadOnlyList<int>? Proto = null)
{
    public bool Merges => Strategies?.Contains("merge") == true;
    public bool RetainsKeys => Strategies?.Contains("retainKeys") == true;
}
