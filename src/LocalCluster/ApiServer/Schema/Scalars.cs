using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Schema;

/// <summary>Reads leaves: type checks with Go's messages, canonical quantities, times and base64.</summary>
public static partial class Scalars
{
    /// <exception cref="DecodeException">The value has another type or does not parse.</exception>
    public static JsonNode Read(JsonNode source, ScalarKind kind, string root, string path) => kind switch
    {
        ScalarKind.String => JsonValue.Create(source.Str() ?? throw Mismatch(source, kind, root, path)),
        ScalarKind.Bool => JsonValue.Create(source.Bool() ?? throw Mismatch(source, kind, root, path)),
        ScalarKind.Int32 => JsonValue.Create(Whole(source, int.MinValue, int.MaxValue) ?? throw Mismatch(source, kind, root, path)),
        ScalarKind.Int64 => JsonValue.Create(Whole(source, long.MinValue, long.MaxValue) ?? throw Mismatch(source, kind, root, path)),
        ScalarKind.Float => source.Long() is { } whole ? JsonValue.Create(whole) : JsonValue.Create(source.Double() ?? throw Mismatch(source, kind, root, path)),
        ScalarKind.Bytes => Base64(source, root, path),
        ScalarKind.Quantity => ReadQuantity(source, root, path),
        ScalarKind.IntOrString => source.Long() is { } number ? JsonValue.Create(number) : JsonValue.Create(source.Str() ?? throw Mismatch(source, kind, root, path)),
        _ => ReadTime(source, kind, root, path),
    };

    public static bool IsZero(JsonNode value) => value.GetValueKind() switch
    {
        JsonValueKind.String => value.Str()!.Length == 0,
        JsonValueKind.False => true,
        JsonValueKind.Number => value.Double() == 0,
        _ => false,
    };

    public static JsonNode? Zero(ScalarKind kind) => kind switch
    {
        ScalarKind.String => JsonValue.Create(""),
        ScalarKind.Bool => JsonValue.Create(false),
        ScalarKind.Int32 or ScalarKind.Int64 or ScalarKind.Float or ScalarKind.IntOrString => JsonValue.Create(0L),
        ScalarKind.Quantity => JsonValue.Create("0"),
        _ => null,
    };

    public static string GoName(ScalarKind kind) => kind switch
    {
        ScalarKind.Float => "float64",
        ScalarKind.Bytes => "[]uint8",
        ScalarKind.Quantity => "resource.Quantity",
        ScalarKind.Time => "v1.Time",
        ScalarKind.MicroTime => "v1.MicroTime",
        ScalarKind.IntOrString => "intstr.IntOrString",
        _ => kind.ToString().ToLowerInvariant(),
    };

    /// <summary>RFC 3339 in UTC with whole seconds, as <c>metav1.Time</c> is written.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>RFC 3339 in UTC with microseconds, as <c>metav1.MicroTime</c> is written.</summary>
    public static string MicroTime(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    public static bool TryTime(string? text, out DateTimeOffset time)
    {
        time = default;
        return text is not null && Rfc3339().IsMatch(text) &&
            DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out time);
    }

    public static string CannotUnmarshal(JsonNode source, string wanted, string root, string path)
    {
        var got = source.GetValueKind() switch
        {
            JsonValueKind.String => "string",
            JsonValueKind.Number => source.Long() is null ? $"number {source.ToJsonString()}" : "number",
            JsonValueKind.True or JsonValueKind.False => "bool",
            JsonValueKind.Array => "array",
            _ => "object",
        };
        var field = Index().Replace(path, "");
        return $"json: cannot unmarshal {got} into Go {(field.Length == 0 ? "value" : $"struct field {root}.{field}")} of type {wanted}";
    }

    private static long? Whole(JsonNode source, long min, long max) =>
        source.GetValueKind() == JsonValueKind.Number && source.Long() is { } value && value >= min && value <= max ? value : null;

    private static JsonValue Base64(JsonNode source, string root, string path)
    {
        var text = source.Str() ?? throw Mismatch(source, ScalarKind.Bytes, root, path);
        var buffer = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, buffer, out var written)) throw new DecodeException($"illegal base64 data at input byte {IllegalAt(text)}");
        return JsonValue.Create(Convert.ToBase64String(buffer.AsSpan(0, written)));
    }

    /// <summary>The offset of the first byte that is not base64, counted as Go's decoder does.</summary>
    public static int IllegalAt(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsAsciiLetterOrDigit(text[i]) && text[i] is not ('+' or '/' or '=' or '\n' or '\r')) return i;
        }

        return text.Length / 4 * 4;
    }

    private static JsonValue ReadQuantity(JsonNode source, string root, string path)
    {
        var text = source.GetValueKind() == JsonValueKind.Number ? source.ToJsonString() : source.Str() ?? throw Mismatch(source, ScalarKind.Quantity, root, path);
        return Quantity.TryParse(text, out var quantity) ? JsonValue.Create(quantity.ToString()) : throw new DecodeException(Quantity.Rule);
    }

    private static JsonValue ReadTime(JsonNode source, ScalarKind kind, string root, string path)
    {
        var text = source.Str() ?? throw Mismatch(source, kind, root, path);
        if (!TryTime(text, out var time)) throw new DecodeException($"parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\"");
        return JsonValue.Create(kind == ScalarKind.Time ? Time(time) : MicroTime(time));
    }

    private static DecodeException Mismatch(JsonNode source, ScalarKind kind, string root, string path) =>
        new(CannotUnmarshal(source, GoName(kind), root, path));

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Rfc3339();

    [GeneratedRegex(@"\[\d+\]", RegexOptions.CultureInvariant)]
    private static partial Regex Index();
}
