using System.Globalization;
using System.Reflection;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>
/// The built-in types, read from the <c>Kinds/Types/*.types</c> resources. A file holds one API version; a line without indentation starts a
/// struct, an indented line is a field: <c>name type [flags]</c>. Types: <c>[]T</c> list, <c>{}T</c> map, <c>*T</c> optional, a scalar, <c>Raw</c>,
/// or a struct (<c>group.Name</c> from another file). Flags: always, required, atomic, set, map=keys, merge[=key], retainKeys, replace, default=value, orBool,
/// @path the protobuf field number (with those of the inlined structs around it).
/// </summary>
public static class TypeCatalog
{
    private static readonly Lazy<Dictionary<string, StructSchema>> Structs = new(Read);

    /// <summary>The struct <paramref name="name"/>, as in <c>core.Pod</c>.</summary>
    /// <exception cref="KeyNotFoundException">There is no such type.</exception>
    public static StructSchema Struct(string name) => Structs.Value[name];

    /// <summary>Every struct by name, for OpenAPI.</summary>
    public static IReadOnlyDictionary<string, StructSchema> All => Structs.Value;

    private static Dictionary<string, StructSchema> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var lines = new List<(string Group, string Line)>();
        foreach (var resource in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".v1.types", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            while (reader.ReadLine() is { } line) lines.Add((resource.Split('.')[0], line));
        }

        return Build(lines.Where(l => l.Line.Length > 0 && l.Line[0] != '#').ToList());
    }

    private static Dictionary<string, StructSchema> Build(List<(string Group, string Line)> lines)
    {
        var structs = lines.Where(l => l.Line[0] != ' ')
            .Select(l => (l.Group, Words: l.Line.Split(' ')))
            .ToDictionary(l => $"{l.Group}.{l.Words[0]}", l => new StructSchema($"{l.Group}.{l.Words[0]}") { Atomic = l.Words.Contains("atomic") }, StringComparer.Ordinal);
        StructSchema? current = null;
        foreach (var (group, line) in lines)
        {
            if (line[0] != ' ') current = structs[$"{group}.{line.Split(' ')[0]}"];
            else current!.Add(Field(structs, group, line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        }

        return structs;
    }

    private static FieldSchema Field(Dictionary<string, StructSchema> structs, string group, string[] words)
    {
        var flags = words[2..];
        return new FieldSchema(
            words[0],
            Type(structs, group, words[1].TrimStart('*'), flags),
            Pointer: words[1][0] == '*',
            Always: flags.Contains("always"),
            Required: flags.Contains("required"),
            MergeKey: Value(flags, "merge"),
            Strategies: flags.Select(f => f.Split('=')[0]).Where(f => f is "merge" or "retainKeys" or "replace").ToArray(),
            Default: Value(flags, "default")?.Trim('"'),
            OrBool: flags.Contains("orBool"),
            Proto: [.. flags[^1][1..].Split('.').Select(n => int.Parse(n, CultureInfo.InvariantCulture))]);
    }

    private static TypeSchema Type(Dictionary<string, StructSchema> structs, string group, string text, string[] flags)
    {
        if (text.StartsWith("[]", StringComparison.Ordinal)) return List(Type(structs, group, text[2..], []), flags);
        if (text.StartsWith("{}", StringComparison.Ordinal)) return new MapSchema(Type(structs, group, text[2..], []), flags.Contains("atomic"));
        if (text == "Raw") return RawSchema.Instance;
        if (Scalars.TryGetValue(text, out var scalar)) return scalar;
        return structs[text.Contains('.', StringComparison.Ordinal) ? text : $"{group}.{text}"];
    }

    private static ListSchema List(TypeSchema element, string[] flags) =>
        Value(flags, "map") is { } keys ? new ListSchema(element, ListKind.Map, keys.Split(','))
        : new ListSchema(element, flags.Contains("set") ? ListKind.Set : ListKind.Atomic, []);

    private static string? Value(string[] flags, string name) =>
        flags.FirstOrDefault(f => f.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..];

    private static readonly Dictionary<string, ScalarSchema> Scalars = new(StringComparer.Ordinal)
    {
        ["string"] = new(ScalarKind.String),
        ["int32"] = new(ScalarKind.Int32),
        ["int64"] = new(ScalarKind.Int64),
        ["float64"] = new(ScalarKind.Float),
        ["bool"] = new(ScalarKind.Bool),
        ["bytes"] = new(ScalarKind.Bytes),
        ["Quantity"] = new(ScalarKind.Quantity),
        ["Time"] = new(ScalarKind.Time),
        ["MicroTime"] = new(ScalarKind.MicroTime),
        ["IntOrString"] = new(ScalarKind.IntOrString),
    };
}
