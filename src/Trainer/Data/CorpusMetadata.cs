using System.Text.Json;
using System.Text.Json.Serialization;
using Opt.Api.Protocol;

namespace Opt.Trainer.Data;

/// <summary>NAME.json of a tokenised corpus.</summary>
public sealed record CorpusMetadata
{
    public const int CurrentVersion = 1;

    public int Version { get; set; } = CurrentVersion;

    /// <summary>SHA-256 of the vocabulary and merges the tokens were made with; corpora of one job must agree.</summary>
    public required string VocabularyDigest { get; init; }

    /// <summary>Number of token ids, padding excluded; every token is below it.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The id that ends every document.</summary>
    public required int EndOfDocument { get; init; }

    public required long Tokens { get; init; }
    public required long Documents { get; init; }

    /// <summary>SHA-256 of NAME.bin.</summary>
    public required string BytesDigest { get; init; }

    public CorpusDigest ToDigest(string path) => new() { Path = path, Digest = BytesDigest, Tokens = Tokens };
}

/// <summary>Source-generated JSON of corpus metadata.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(CorpusMetadata))]
internal sealed partial class CorpusJson : JsonSerializerContext;
