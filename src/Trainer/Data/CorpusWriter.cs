using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;

namespace Opt.Trainer.Data;

/// <summary>Writes NAME.bin, NAME.idx and, last, NAME.json: without the metadata nothing reads the corpus.</summary>
public sealed class CorpusWriter : IDisposable
{
    private readonly string _name;
    private readonly FileStream _tokens;
    private readonly FileStream _offsets;
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _tokenCount;
    private long _documents;

    /// <param name="name">Path without extension; files of that name are replaced.</param>
    public CorpusWriter(string name)
    {
        _name = name;
        if (Path.GetDirectoryName(Path.GetFullPath(name)) is { } folder) Directory.CreateDirectory(folder);
        File.Delete($"{name}.json");
        _tokens = new($"{name}.bin", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        _offsets = new($"{name}.idx", FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16);
        WriteOffset();
    }

    public long Tokens => _tokenCount;
    public long Documents => _documents;

    /// <summary>Appends one document: its tokens, the end-of-document id included.</summary>
    public void Append(ReadOnlySpan<ushort> document)
    {
        Span<byte> block = stackalloc byte[2048];
        for (var at = 0; at < document.Length; at += block.Length / 2)
        {
            var part = document[at..Math.Min(document.Length, at + block.Length / 2)];
            for (var i = 0; i < part.Length; i++) BinaryPrimitives.WriteUInt16LittleEndian(block[(2 * i)..], part[i]);
            _tokens.Write(block[..(2 * part.Length)]);
            _digest.AppendData(block[..(2 * part.Length)]);
        }

        _tokenCount += document.Length;
        _documents++;
        WriteOffset();
    }

    /// <summary>Flushes all files, then writes the metadata.</summary>
    public CorpusMetadata Finish(string vocabularyDigest, int vocabularySize, int endOfDocument)
    {
        _tokens.Flush(flushToDisk: true);
        _offsets.Flush(flushToDisk: true);
        var metadata = new CorpusMetadata
        {
            VocabularyDigest = vocabularyDigest,
            VocabularySize = vocabularySize,
            EndOfDocument = endOfDocument,
            Tokens = _tokenCount,
            Documents = _documents,
            BytesDigest = Convert.ToHexStringLower(_digest.GetHashAndReset()),
        };
        File.WriteAllBytes($"{_name}.json", JsonSerializer.SerializeToUtf8Bytes(metadata, CorpusJson.Default.CorpusMetadata));
        return metadata;
    }

    public void Dispose()
    {
        _tokens.Dispose();
        _offsets.Dispose();
        _digest.Dispose();
    }

    private void WriteOffset()
    {
        Span<byte> offset = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(offset, _tokenCount);
        _offsets.Write(offset);
    }
}
