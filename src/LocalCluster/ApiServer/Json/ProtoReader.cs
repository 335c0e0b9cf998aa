using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Schema;

namespace Opt.LocalCluster.ApiServer.Json;

/// <summary>
/// Reads the protobuf form of built-in objects, which typed Go clients (some kubectl commands among them) prefer to send. The result is the
/// same tree as from JSON. Unknown fields are skipped.
/// </summary>
public static class ProtoReader
{
    private const int MaxDepth = 64;

    /// <summary>Every protobuf body begins with this.</summary>
    public static ReadOnlySpan<byte> Magic => "k8s\0"u8;

    /// <summary>Opens the envelope: the kind that is inside, and its bytes.</summary>
    /// <exception cref="FormatException">The bytes are not an enveloped object.</exception>
    public static (string ApiVersion, string Kind, byte[] Raw) Open(ReadOnlySpan<byte> body)
    {
        if (!body.StartsWith(Magic)) throw new FormatException("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
        var (apiVersion, kind, raw) = ("", "", Array.Empty<byte>());
        var wire = new Wire(body[4..]);
        while (wire.Next(out var field))
        {
            if (field == 1) (apiVersion, kind) = TypeMeta(wire.Bytes());
            else if (field == 2) raw = wire.Bytes().ToArray();
            else wire.Skip();
        }

        return (apiVersion, kind, raw);
    }

    /// <exception cref="FormatException">The bytes are not a message of that type.</exception>
    public static JsonObject Read(ReadOnlySpan<byte> message, StructSchema type)
    {
        var result = new JsonObject();
        Fields(message, type, [], result, 0);
        return result;
    }

    private static (string ApiVersion, string Kind) TypeMeta(ReadOnlySpan<byte> message)
    {
        var (apiVersion, kind) = ("", "");
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) apiVersion = Text(wire.Bytes());
            else if (field == 2) kind = Text(wire.Bytes());
            else wire.Skip();
        }

        return (apiVersion, kind);
    }

    private static void Fields(ReadOnlySpan<byte> message, StructSchema type, int[] prefix, JsonObject result, int depth)
    {
        if (depth > MaxDepth) throw new FormatException("message is nested too deeply");
        var wire = new Wire(message);
        while (wire.Next(out var number))
        {
            int[] path = [.. prefix, number];
            if (type.Fields.FirstOrDefault(f => f.Proto!.SequenceEqual(path)) is { } field) Field(ref wire, field, result, depth);
            // JSON inlines some structs that protobuf nests: their fields belong to this object.
            else if (type.Fields.Any(f => f.Proto!.Count > path.Length && f.Proto.Take(path.Length).SequenceEqual(path))) Fields(wire.Bytes(), type, path, result, depth + 1);
            else wire.Skip();
        }
    }

    private static void Field(ref Wire wire, FieldSchema field, JsonObject result, int depth)
    {
        switch (field.Type)
        {
            case ListSchema list:
                EnsureList(result, field.Name).Add(Value(ref wire, list.Element, depth));
                break;
            case MapSchema map:
                Entry(wire.Bytes(), map.Value, result.Ensure(field.Name), depth);
                break;
            default:
                result[field.Name] = field.OrBool ? OrBool(wire.Bytes(), field.Type, depth) : field.Name == "items" && field.Type is StructSchema { Name: "apiextensions.JSONSchemaProps" } ? OrList(wire.Bytes(), field.Type, depth) : Value(ref wire, field.Type, depth);
                break;
        }
    }

    private static JsonArray EnsureList(JsonObject result, string name)
    {
        if (result[name] is JsonArray there) return there;
        var made = new JsonArray();
        result[name] = made;
        return made;
    }

    private static void Entry(ReadOnlySpan<byte> message, TypeSchema type, JsonObject map, int depth)
    {
        var key = "";
        JsonNode? value = null;
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) key = Text(wire.Bytes());
            else if (field == 2) value = Value(ref wire, type, depth + 1);
            else wire.Skip();
        }

        map[key] = value ?? (type is ScalarSchema { Kind: ScalarKind.String or ScalarKind.Bytes } ? JsonValue.Create("") : null);
    }

    private static JsonNode? Value(ref Wire wire, TypeSchema type, int depth) => type switch
    {
        StructSchema s => Struct(wire.Bytes(), s, depth),
        ListSchema l => Items(wire.Bytes(), l.Element, depth),
        ScalarSchema s => Scalar(ref wire, s.Kind),
        _ => Raw(wire.Bytes()),
    };

    private static JsonObject Struct(ReadOnlySpan<byte> message, StructSchema type, int depth)
    {
        var result = new JsonObject();
        Fields(message, type, [], result, depth + 1);
        return result;
    }

    // A list as a map value is a message whose field 1 repeats.
    private static JsonArray Items(ReadOnlySpan<byte> message, TypeSchema element, int depth)
    {
        var result = new JsonArray();
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) result.Add(Value(ref wire, element, depth + 1));
            else wire.Skip();
        }

        return result;
    }

    private static JsonValue? Scalar(ref Wire wire, ScalarKind kind) => kind switch
    {
        ScalarKind.String => JsonValue.Create(Text(wire.Bytes())),
        ScalarKind.Bool => JsonValue.Create(wire.Varint() != 0),
        ScalarKind.Int32 => JsonValue.Create((long)(int)wire.Varint()),
        ScalarKind.Int64 => JsonValue.Create((long)wire.Varint()),
        ScalarKind.Float => JsonValue.Create(BitConverter.UInt64BitsToDouble(wire.Fixed64())),
        ScalarKind.Bytes => JsonValue.Create(Convert.ToBase64String(wire.Bytes())),
        ScalarKind.Quantity => JsonValue.Create(Nested(wire.Bytes(), 1)),
        ScalarKind.IntOrString => IntOrString(wire.Bytes()),
        _ => Time(wire.Bytes(), kind),
    };

    private static string Nested(ReadOnlySpan<byte> message, int wanted)
    {
        var text = "";
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == wanted) text = Text(wire.Bytes());
            else wire.Skip();
        }

        return text;
    }

    private static JsonValue IntOrString(ReadOnlySpan<byte> message)
    {
        var (isText, number, text) = (false, 0L, "");
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) isText = wire.Varint() == 1;
            else if (field == 2) number = (int)wire.Varint();
            else if (field == 3) text = Text(wire.Bytes());
            else wire.Skip();
        }

        return isText ? JsonValue.Create(text) : JsonValue.Create(number);
    }

    private static JsonValue? Time(ReadOnlySpan<byte> message, ScalarKind kind)
    {
        if (message.IsEmpty) return null;   // Go's zero time
        var (seconds, nanos) = (0L, 0L);
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) seconds = (long)wire.Varint();
            else if (field == 2) nanos = (int)wire.Varint();
            else wire.Skip();
        }

        if (seconds is < -62135596800 or > 253402300799) throw new FormatException("time is out of range");
        var time = DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(nanos / 100);
        return JsonValue.Create(kind == ScalarKind.Time ? Scalars.Time(time) : Scalars.MicroTime(time));
    }

    // Raw JSON travels as bytes in field 1.
    private static JsonNode? Raw(ReadOnlySpan<byte> message)
    {
        JsonNode? value = null;
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) value = Parse(wire.Bytes());
            else wire.Skip();
        }

        return value;
    }

    private static JsonNode? Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonText.Parse(json);
        }
        catch (System.Text.Json.JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    private static JsonNode? OrBool(ReadOnlySpan<byte> message, TypeSchema type, int depth)
    {
        JsonNode? value = null;
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) value ??= JsonValue.Create(wire.Varint() != 0);
            else if (field == 2) value = Value(ref wire, type, depth + 1);
            else wire.Skip();
        }

        return value;
    }

    private static JsonNode? OrList(ReadOnlySpan<byte> message, TypeSchema type, int depth)
    {
        JsonNode? value = null;
        var wire = new Wire(message);
        while (wire.Next(out var field))
        {
            if (field == 1) value = Value(ref wire, type, depth + 1);
            else wire.Skip();
        }

        return value;
    }

    private static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);

    /// <summary>The tags and values of one message.</summary>
    private ref struct Wire(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;
        private int _type;

        public bool Next(out int field)
        {
            field = 0;
            if (_rest.IsEmpty) return false;
            var tag = Read();
            (field, _type) = ((int)(tag >> 3), (int)(tag & 7));
            return field > 0 ? true : throw new FormatException("illegal tag 0");
        }

        public ulong Varint() => _type == 0 ? Read() : throw Wrong();

        public ulong Fixed64() => _type == 1 ? BinaryPrimitives.ReadUInt64LittleEndian(Take(8)) : throw Wrong();

        public ReadOnlySpan<byte> Bytes() => _type == 2 ? Take(Read()) : throw Wrong();

        public void Skip()
        {
            switch (_type)
            {
                case 0: Read(); break;
                case 1: Take(8); break;
                case 2: Take(Read()); break;
                case 5: Take(4); break;
                default: throw Wrong();
            }
        }

        private ulong Read()
        {
            ulong value = 0;
            for (var shift = 0; shift < 64; shift += 7)
            {
                if (_rest.IsEmpty) throw new FormatException("unexpected EOF");
                var one = _rest[0];
                _rest = _rest[1..];
                value |= (ulong)(one & 0x7f) << shift;
                if (one < 0x80) return value;
            }

            throw new FormatException("integer overflow");
        }

        private ReadOnlySpan<byte> Take(ulong length)
        {
            if (length > (ulong)_rest.Length) throw new FormatException("unexpected EOF");
            var taken = _rest[..(int)length];
            _rest = _rest[(int)length..];
            return taken;
        }

        private readonly FormatException Wrong() => new($"wrong wireType = {_type}");
    }
}
