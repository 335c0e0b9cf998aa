using System.Buffers.Binary;
using System.Text.Json;
using Opt.Api;

namespace Opt.Trainer.Checkpoints.Safetensors;

/// <summary>
/// Header of a safetensors file (github.com/huggingface/safetensors, "Format"): 8 bytes little-endian header length, JSON, data. Reading is as
/// strict as the reference: tensors tile the data section without gap or overlap, sizes match shapes, names are unique.
/// </summary>
public sealed class SafetensorsHeader
{
    /// <summary>Longest header anyone may claim, as in the reference.</summary>
    public const int MaxJsonBytes = 100_000_000;

    private const int LengthBytes = 8;
    private const int Alignment = 8;
    private const string MetadataName = "__metadata__";

    private SafetensorsHeader(IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata, long dataStart)
    {
        Tensors = tensors;
        Metadata = metadata;
        DataStart = dataStart;
    }

    /// <summary>In the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Offset of the data section in the file.</summary>
    public long DataStart { get; }

    public long DataBytes => Tensors.Count == 0 ? 0 : Tensors[^1].End;
    public long FileBytes => DataStart + DataBytes;

    /// <summary>Lays tensors out one after the other, in the order given.</summary>
    public static (SafetensorsHeader Header, byte[] Bytes) Create(IEnumerable<(string Name, SafetensorsDtype Dtype, EquatableList<long> Shape)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        long end = 0;
        var laidOut = new List<SafetensorsTensor>();
        foreach (var (name, dtype, shape) in tensors) laidOut.Add(new(name, dtype, shape, end, end += SizeOf(dtype, shape) ?? throw new ArgumentException($"tensor {name} has a negative or too large shape")));
        var json = Write(laidOut, metadata ?? new Dictionary<string, string>());
        var bytes = new byte[LengthBytes + json.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, LengthBytes);
        return (new(laidOut, metadata ?? new Dictionary<string, string>(), bytes.Length), bytes);
    }

    /// <summary>Bytes the header takes in a file that begins with <paramref name="start"/> (at least 8 bytes).</summary>
    /// <exception cref="FormatException">Not the start of a safetensors file.</exception>
    public static int LengthOf(ReadOnlySpan<byte> start)
    {
        if (start.Length < LengthBytes) throw new FormatException($"not a safetensors file: {start.Length} bytes, at least {LengthBytes} are needed");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(start);
        return length is >= 2 and <= MaxJsonBytes ? LengthBytes + (int)length : throw new FormatException($"not a safetensors file: it claims a header of {length} bytes");
    }

    /// <summary>Parses a whole header.</summary>
    /// <param name="header">The first <see cref="LengthOf"/> bytes of the file.</param>
    /// <param name="fileBytes">Length of the file, which must be exactly what the header says.</param>
    /// <exception cref="FormatException">Anything that is not right.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> header, long fileBytes)
    {
        var length = LengthOf(header);
        if (header.Length < length) throw new FormatException($"safetensors header cut off: {header.Length} of {length} bytes");
        try
        {
            using var json = JsonDocument.Parse(header[LengthBytes..length].ToArray());
            var parsed = Parse(json.RootElement, length);
            return parsed.FileBytes == fileBytes ? parsed : throw new FormatException($"safetensors file has {fileBytes} bytes, its header says {parsed.FileBytes}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)   // the latter: text that is not UTF-8
        {
            throw new FormatException($"safetensors header is not JSON: {e.Message}", e);
        }
    }

    private static SafetensorsHeader Parse(JsonElement root, int dataStart)
    {
        if (root.ValueKind != JsonValueKind.Object) throw new FormatException("safetensors header is not an object");
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var tensors = new List<SafetensorsTensor>();
        foreach (var member in root.EnumerateObject())
        {
            if (member.NameEquals(MetadataName)) ReadMetadata(member.Value, metadata);
            else tensors.Add(ReadTensor(member.Name, member.Value));
        }

        // Empty tensors share their offset with the one after them, so length decides between equal beginnings.
        tensors.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        CheckTiling(tensors);
        return new(tensors, metadata, dataStart);
    }

    private static void ReadMetadata(JsonElement value, Dictionary<string, string> metadata)
    {
        if (value.ValueKind != JsonValueKind.Object) throw new FormatException("safetensors __metadata__ is not an object");
        foreach (var entry in value.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String) throw new FormatException($"safetensors __metadata__ {entry.Name} is not a string");
            metadata[entry.Name] = entry.Value.GetString()!;
        }
    }

    private static SafetensorsTensor ReadTensor(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object) throw Bad(name, "is not an object");
        if (!value.TryGetProperty("dtype", out var type) || type.ValueKind != JsonValueKind.String || !TryParse(type.GetString(), out var dtype)) throw Bad(name, "has no known dtype");
        var shape = Integers(name, value, "shape");
        var offsets = Integers(name, value, "data_offsets");
        if (offsets.Length != 2) throw Bad(name, "needs two data_offsets");
        if (SizeOf(dtype, shape) is not { } size || offsets[1] - offsets[0] != size) throw Bad(name, "has data_offsets that do not fit its shape");
        return new(name, dtype, [.. shape], offsets[0], offsets[1]);
    }

    private static long[] Integers(string name, JsonElement tensor, string field)
    {
        if (!tensor.TryGetProperty(field, out var list) || list.ValueKind != JsonValueKind.Array) throw Bad(name, $"has no {field}");
        return [.. list.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out var n) && n >= 0 ? n : throw Bad(name, $"has a {field} that is not a list of whole numbers"))];
    }

    private static void CheckTiling(List<SafetensorsTensor> tensors)
    {
        long end = 0;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (!names.Add(tensor.Name)) throw Bad(tensor.Name, "appears twice");
            if (tensor.Begin != end) throw Bad(tensor.Name, $"begins at {tensor.Begin} where {end} is the end of the one before");
            end = tensor.End;
        }
    }

    private static bool TryParse(string? text, out SafetensorsDtype dtype) => Enum.TryParse(text, out dtype) && dtype.ToString() == text;

    /// <summary>Bytes of a tensor; null when they do not fit 63 bits.</summary>
    private static long? SizeOf(SafetensorsDtype dtype, IEnumerable<long> shape)
    {
        var size = (Int128)dtype.Bytes();
        foreach (var dim in shape)
        {
            if (dim < 0) return null;
            size *= dim;
            if (size > long.MaxValue) return null;
        }

        return (long)size;
    }

    private static byte[] Write(List<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            if (metadata.Count > 0) WriteMetadata(writer, metadata);
            foreach (var tensor in tensors) Write(writer, tensor);
            writer.WriteEndObject();
        }

        while ((LengthBytes + json.Length) % Alignment != 0) json.WriteByte((byte)' ');
        return json.ToArray();
    }

    private static void WriteMetadata(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> metadata)
    {
        writer.WriteStartObject(MetadataName);
        foreach (var (key, value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal)) writer.WriteString(key, value);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, SafetensorsTensor tensor)
    {
        writer.WriteStartObject(tensor.Name);
        writer.WriteString("dtype", tensor.Dtype.ToString());
        writer.WriteStartArray("shape");
        foreach (var dim in tensor.Shape) writer.WriteNumberValue(dim);
        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(tensor.Begin);
        writer.WriteNumberValue(tensor.End);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static FormatException Bad(string tensor, string what) => new($"safetensors tensor \"{tensor}\" {what}");
}
