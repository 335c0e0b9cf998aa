using Microsoft.Win32.SafeHandles;

namespace Opt.Trainer.Checkpoints.Safetensors;

/// <summary>A safetensors file open for reading, tensor by tensor; never holds more than the caller's buffers. Safe for concurrent use.</summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafeFileHandle _file;

    private SafetensorsFile(SafeFileHandle file, SafetensorsHeader header)
    {
        _file = file;
        Header = header;
    }

    public SafetensorsHeader Header { get; }

    /// <exception cref="FormatException">Not a whole safetensors file.</exception>
    /// <exception cref="IOException">It cannot be opened or read.</exception>
    public static SafetensorsFile Open(string path)
    {
        var file = File.OpenHandle(path, options: FileOptions.RandomAccess);
        try
        {
            var bytes = RandomAccess.GetLength(file);
            Span<byte> start = stackalloc byte[8];
            var read = RandomAccess.Read(file, start, 0);
            var header = new byte[Math.Min(bytes, SafetensorsHeader.LengthOf(start[..read]))];
            Fill(file, 0, header);
            return new(file, SafetensorsHeader.Parse(header, bytes));
        }
        catch (FormatException e)
        {
            file.Dispose();
            throw new FormatException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads elements of a tensor from byte <paramref name="offset"/> within it on.</summary>
    public void Read(SafetensorsTensor tensor, long offset, Span<byte> destination)
    {
        if (offset < 0 || offset + destination.Length > tensor.Bytes) throw new ArgumentOutOfRangeException(nameof(offset), offset, $"outside tensor {tensor.Name} of {tensor.Bytes} bytes");
        Fill(_file, Header.DataStart + tensor.Begin + offset, destination);
    }

    /// <summary>Writes a file. <paramref name="fill"/> is called for each tensor in order, with room for a part of its bytes and their offset in it.</summary>
    public static void Write(string path, IEnumerable<(string Name, SafetensorsDtype Dtype, Api.EquatableList<long> Shape)> tensors, IReadOnlyDictionary<string, string>? metadata, FillTensor fill)
    {
        const int Part = 4 << 20;
        var (header, bytes) = SafetensorsHeader.Create(tensors, metadata);
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.Write(file, bytes, 0);
        var buffer = new byte[Part];
        foreach (var tensor in header.Tensors)
        {
            for (long offset = 0; offset < tensor.Bytes; offset += Part)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(Part, tensor.Bytes - offset));
                fill(tensor, offset, part);
                RandomAccess.Write(file, part, header.DataStart + tensor.Begin + offset);
            }
        }

        RandomAccess.FlushToDisk(file);
    }

    public void Dispose() => _file.Dispose();

    private static void Fill(SafeFileHandle file, long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(file, destination, offset);
            if (read == 0) throw new FormatException($"safetensors file ends at byte {offset}, {destination.Length} bytes too soon");
            destination = destination[read..];
            offset += read;
        }
    }
}

/// <summary>Supplies bytes [offset, offset + destination.Length) of a tensor.</summary>
public delegate void FillTensor(SafetensorsTensor tensor, long offset, Span<byte> destination);
