namespace Opt.Api.Protocol;

/// <summary>What a corpus held when it was trained on, as its PATH.json says.</summary>
public sealed record CorpusDigest
{
    /// <summary>As in the spec.</summary>
    public required string Path { get; init; }

    /// <summary>SHA-256 of PATH.bin.</summary>
    public required string Digest { get; init; }

    public required long Tokens { get; init; }
}
