using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.LocalCluster.ApiServer.Json;

/// <summary>JSON bytes to trees and back. Duplicate members are kept out of the tree (the last wins) but reported, as strict decoding needs.</summary>
public static class JsonText
{
    private const int MaxDepth = 512;
    private const int MaxKept = 256 * 1024;   // bytes

    // A buffer that grows anew for every object costs more than the writing.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    public static readonly JsonSerializerOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonWriterOptions Writer = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Parses one JSON value. <paramref name="duplicates"/>, when given, receives the paths of repeated members.</summary>
    /// <exception cref="JsonException">The bytes are not JSON, or nest deeper than 512.</exception>
    public static JsonNode? Parse(ReadOnlySpan<byte> utf8, ICollection<string>? duplicates = null)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
        reader.Read();
        var node = Read(ref reader, duplicates, "");
        return reader.Read() ? throw new JsonException("invalid character after top-level value") : node;
    }

    public static byte[] ToUtf8(JsonNode? node)
    {
        var buffer = t_buffer ?? new ArrayBufferWriter<byte>(16 * 1024);
        t_buffer = null;
        using (var writer = new Utf8JsonWriter(buffer, Writer))
        {
            if (node is null) writer.WriteNullValue();
            else node.WriteTo(writer, Compact);
        }

        var bytes = buffer.WrittenSpan.ToArray();
        buffer.ResetWrittenCount();
        if (buffer.Capacity <= MaxKept) t_buffer = buffer;
        return bytes;
    }

    public static string ToText(JsonNode? node) => Encoding.UTF8.GetString(ToUtf8(node));

    private static JsonNode? Read(ref Utf8JsonReader reader, ICollection<string>? duplicates, string path) => reader.TokenType switch
    {
        JsonTokenType.StartObject => ReadObject(ref reader, duplicates, path),
        JsonTokenType.StartArray => ReadArray(ref reader, duplicates, path),
        JsonTokenType.String => JsonValue.Create(ReadString(ref reader)),
        JsonTokenType.Number => reader.TryGetInt64(out var whole) ? JsonValue.Create(whole) : JsonValue.Create(reader.GetDouble()),
        JsonTokenType.True => JsonValue.Create(true),
        JsonTokenType.False => JsonValue.Create(false),
        _ => null,
    };

    private static JsonObject ReadObject(ref Utf8JsonReader reader, ICollection<string>? duplicates, string path)
    {
        var result = new JsonObject();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = ReadString(ref reader);
            reader.Read();
            var below = duplicates is null ? "" : path.Length == 0 ? name : $"{path}.{name}";
            if (duplicates is not null && result.ContainsKey(name)) duplicates.Add(below);
            result[name] = Read(ref reader, duplicates, below);
        }

        return result;
    }

    private static JsonArray ReadArray(ref Utf8JsonReader reader, ICollection<string>? duplicates, string path)
    {
        var result = new JsonArray();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            result.Add(Read(ref reader, duplicates, duplicates is null ? "" : $"{path}[{result.Count}]"));
        }

        return result;
    }

    // Lone surrogates and bad UTF-8 make GetString throw InvalidOperationException; to the caller both are bad JSON.
    private static string ReadString(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("invalid text in string", e);
        }
    }
}
