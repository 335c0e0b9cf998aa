using System.IO.MemoryMappedFiles;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Opt.Api.Protocol;

namespace Opt.Trainer.Data;

/// <summary>
/// A tokenised corpus, memory-mapped: PATH.bin holds little-endian uint16 token ids, PATH.idx little-endian int64 document offsets in
/// tokens (one more than documents), PATH.json the metadata. Safe for concurrent readers.
/// </summary>
public sealed class Corpus : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly SafeMemoryMappedViewHandle _handle;

    private Corpus(string name, CorpusMetadata metadata, MemoryMappedFile file)
    {
        Name = name;
        Metadata = metadata;
        _file = file;
        _view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _handle = _view.SafeMemoryMappedViewHandle;
    }

    /// <summary>The path as the configuration wrote it.</summary>
    public string Name { get; }

    public CorpusMetadata Metadata { get; }

    /// <summary>Opens and checks a corpus: sizes must agree with the metadata. The digest of the bytes is not recomputed here.</summary>
    /// <param name="root">Folder that <paramref name="path"/> is relative to.</param>
    /// <exception cref="TrainerException">Data: a file is missing, empty or does not fit the others.</exception>
    public static Corpus Open(string root, string path)
    {
        var full = Path.Combine(root, path);
        var metadata = ReadMetadata(full);
        var bytes = LengthOf($"{full}.bin");
        if (bytes == 0 || metadata.Tokens == 0) throw Bad($"corpus {full} is empty");
        if (bytes != 2 * metadata.Tokens) throw Bad($"{full}.bin has {bytes} bytes, but {full}.json promises {metadata.Tokens} tokens of 2 bytes");
        var index = LengthOf($"{full}.idx");
        if (index != 8 * (metadata.Documents + 1)) throw Bad($"{full}.idx has {index} bytes, but {full}.json promises {metadata.Documents} documents and so {8 * (metadata.Documents + 1)} bytes");
        try
        {
            return new(path, metadata, MemoryMappedFile.CreateFromFile(File.OpenHandle($"{full}.bin"), null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainerException(WorkerExit.Data, $"{full}.bin cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Copies <c>destination.Length</c> tokens from <paramref name="offset"/> on.</summary>
    public void Read(long offset, Span<ushort> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + destination.Length, Metadata.Tokens, nameof(offset));
        _handle.ReadSpan((ulong)(2 * offset), destination);
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    /// <summary>PATH.json.</summary>
    /// <exception cref="TrainerException">Data: missing or unreadable.</exception>
    internal static CorpusMetadata ReadMetadata(string full)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes($"{full}.json"), CorpusJson.Default.CorpusMetadata) ?? throw Bad($"{full}.json is empty");
        }
        catch (JsonException e)
        {
            throw new TrainerException(WorkerExit.Data, $"{full}.json is not the metadata of a tokenised corpus: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainerException(WorkerExit.Data, $"corpus {full} is missing or cannot be read: {e.Message} Make it with `opt-trainer tokenize`.", e);
        }
    }

    private static long LengthOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? file.Length : throw Bad($"{path} is missing; {Path.ChangeExtension(path, ".json")} is there");
    }

    private static TrainerException Bad(string message) => new(WorkerExit.Data, message);
}
