using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema.Cel;

/// <summary>
/// The values of CEL as .NET objects: null, bool, long, ulong, double, string, byte[], TimeSpan, DateTimeOffset, <see cref="CelListValue"/>,
/// <see cref="CelMapValue"/>, <see cref="CelOptional"/>, <see cref="Quantity"/>.
/// </summary>
public static class CelValues
{
    /// <summary>A JSON value as CEL sees it; the schema says whether a number is an int or a double, and what a string means.</summary>
    public static object? From(JsonNode? node, StructuralSchema? schema) => node switch
    {
        null => null,
        JsonObject map => new CelMapValue(map, schema),
        JsonArray list => new CelListValue([.. list.Select(i => From(i, schema?.Items))]),
        _ => Leaf(node, schema),
    };

    public static bool AreEqual(object? a, object? b) => (a, b) switch
    {
        (null, null) => true,
        (null, _) or (_, null) => false,
        (CelListValue x, CelListValue y) => x.Items.Count == y.Items.Count && x.Items.Zip(y.Items).All(p => AreEqual(p.First, p.Second)),
        (CelMapValue x, CelMapValue y) => x.Count == y.Count && x.Keys.All(k => y.TryGet(k, out var there) && AreEqual(x.Get(k), there)),
        (byte[] x, byte[] y) => x.AsSpan().SequenceEqual(y),
        (CelOptional x, CelOptional y) => x.HasValue == y.HasValue && (!x.HasValue || AreEqual(x.Value, y.Value)),
        (Quantity x, Quantity y) => x.Nano == y.Nano,
        _ when IsNumber(a) && IsNumber(b) => CompareNumbers(a, b) == 0,
        _ => a.GetType() == b.GetType() && a.Equals(b),
    };

    /// <summary>The order of two values; null when they have none (not a number).</summary>
    /// <exception cref="CelException">The types cannot be compared.</exception>
    public static int? Compare(object? a, object? b) => (a, b) switch
    {
        (string x, string y) => string.CompareOrdinal(x, y),
        (bool x, bool y) => x.CompareTo(y),
        (TimeSpan x, TimeSpan y) => x.CompareTo(y),
        (DateTimeOffset x, DateTimeOffset y) => x.CompareTo(y),
        (byte[] x, byte[] y) => x.AsSpan().SequenceCompareTo(y),
        _ when IsNumber(a) && IsNumber(b) => CompareNumbers(a!, b!),
        _ => throw NoOverload(),
    };

    public static CelException NoOverload() => new("no such overload");

    public static string TypeName(object? value) => value switch
    {
        null => "null_type",
        bool => "bool",
        long => "int",
        ulong => "uint",
        double => "double",
        string => "string",
        byte[] => "bytes",
        CelListValue => "list",
        CelMapValue => "map",
        TimeSpan => "google.protobuf.Duration",
        DateTimeOffset => "google.protobuf.Timestamp",
        CelOptional => "optional_type",
        Quantity => "kubernetes.Quantity",
        _ => "type",
    };

    /// <summary>What <c>string(value)</c> gives.</summary>
    public static string Text(object? value) => value switch
    {
        string text => text,
        bool flag => flag ? "true" : "false",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        ulong whole => whole.ToString(CultureInfo.InvariantCulture),
        double real => real.ToString("R", CultureInfo.InvariantCulture),
        byte[] bytes => Encoding.UTF8.GetString(bytes),
        TimeSpan span => span.TotalSeconds.ToString("R", CultureInfo.InvariantCulture) + "s",
        DateTimeOffset time => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture),
        CelType type => type.Name,
        _ => throw NoOverload(),
    };

    private static object? Leaf(JsonNode node, StructuralSchema? schema) => node.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => schema?.Type != "number" && node.Long() is { } whole ? (object)whole : node.Double(),
        _ => String(node.Str() ?? "", schema?.Format),
    };

    private static object String(string text, string? format) => format switch
    {
        "byte" when TryBase64(text, out var bytes) => bytes,
        "duration" when CelDuration.TryParse(text, out var span) => span,
        "date-time" when Scalars.TryTime(text, out var time) => time,
        "date" when DateTimeOffset.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var day) => day,
        _ => text,
    };

    private static bool TryBase64(string text, [NotNullWhen(true)] out byte[]? bytes)
    {
        var buffer = new byte[text.Length];
        bytes = Convert.TryFromBase64String(text, buffer, out var written) ? buffer[..written] : null;
        return bytes is not null;
    }

    private static bool IsNumber(object? value) => value is long or ulong or double;

    private static int? CompareNumbers(object a, object b) => (a, b) switch
    {
        (long x, long y) => x.CompareTo(y),
        (ulong x, ulong y) => x.CompareTo(y),
        (long x, ulong y) => x < 0 ? -1 : ((ulong)x).CompareTo(y),
        (ulong x, long y) => y < 0 ? 1 : x.CompareTo((ulong)y),
        _ => Real(Convert.ToDouble(a, CultureInfo.InvariantCulture), Convert.ToDouble(b, CultureInfo.InvariantCulture)),
    };

    private static int? Real(double a, double b) => double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b);
}

/// <summary>A list.</summary>
public sealed record CelListValue(IReadOnlyList<object?> Items);

/// <summary>A type, as <c>type(value)</c> gives.</summary>
public sealed record CelType(string Name);

/// <summary>A value that may be missing.</summary>
public sealed record CelOptional(bool HasValue, object? Value)
{
    public static readonly CelOptional None = new(false, null);
}

/// <summary>A map literal, or a JSON object under its schema: there, names that are not identifiers are reached by their escaped form.</summary>
public sealed class CelMapValue
{
    private readonly JsonObject? _source;
    private readonly StructuralSchema? _schema;
    private readonly Dictionary<object, object?>? _entries;

    public CelMapValue(JsonObject source, StructuralSchema? schema) => (_source, _schema) = (source, schema);

    public CelMapValue(Dictionary<object, object?> entries) => _entries = entries;

    public int Count => _entries?.Count ?? _source!.Count;

    public IEnumerable<object> Keys => _entries is not null ? _entries.Keys : _source!.Select(m => (object)m.Key);

    public object? Get(object key) => TryGet(key, out var value) ? value : throw new CelException($"no such key: {CelValues.Text(key)}");

    public bool TryGet(object? key, out object? value)
    {
        value = null;
        if (_entries is not null)
        {
            if (key is null) return false;
            if (_entries.TryGetValue(key, out value)) return true;
            var equal = _entries.Keys.FirstOrDefault(k => CelValues.AreEqual(k, key));
            return equal is not null && _entries.TryGetValue(equal, out value);
        }

        if (key is not string name) return false;
        if (!_source!.TryGetPropertyValue(name, out var node) && !(CelNames.Unescape(name) is { } real && _source.TryGetPropertyValue(name = real, out node))) return false;
        if (node is null && _schema?.Property(name) is { Nullable: false }) return false;
        value = CelValues.From(node, _schema?.Property(name) ?? _schema?.AdditionalProperties);
        return true;
    }
}

/// <summary>Property names that are not identifiers, as rules write them: <c>x__dash__y</c>.</summary>
internal static class CelNames
{
    private static readonly HashSet<string> Reserved =
    [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
    ];

    private static readonly (string Escape, string Text)[] Escapes = [("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")];

    /// <summary>How a rule has to write a property's name.</summary>
    public static string Escape(string name)
    {
        if (Reserved.Contains(name)) return $"__{name}__";
        return Escapes.Aggregate(name, (text, e) => text.Replace(e.Text, e.Escape, StringComparison.Ordinal));
    }

    public static string? Unescape(string name)
    {
        if (!name.Contains("__", StringComparison.Ordinal)) return null;
        if (name.Length > 4 && name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal) && name[2..^2].All(char.IsAsciiLetterLower)) return name[2..^2];
        return Escapes.Aggregate(name, (text, e) => text.Replace(e.Escape, e.Text, StringComparison.Ordinal));
    }
}
