namespace Opt.Api;

/// <summary>The resolved sizes of an OPT decoder. Everything is explicit; presets and custom sizes both end up here.</summary>
public sealed record ModelDimensions
{
    /// <summary>Decoder blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Model width d.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Attention heads; divides <see cref="HiddenSize"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>Inner width of the feed-forward layers; 4d in OPT.</summary>
    public required int FfnSize { get; init; }

    /// <summary>Rows of the token embedding, padding included (OPT: 50272).</summary>
    public required int VocabSize { get; init; }

    /// <summary>Longest sequence. The position table has two more rows (offset 2, as OPT).</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Width of the token embedding; differs from <see cref="HiddenSize"/> in the released 350M only (512).</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>LayerNorm before each sub-layer (all but the released 350M), with a final LayerNorm.</summary>
    public required bool PreNorm { get; init; }

    /// <summary>Dropout on the outputs of attention and feed-forward.</summary>
    public required double Dropout { get; init; }

    /// <summary>Dropout on attention probabilities.</summary>
    public required double AttentionDropout { get; init; }

    public int HeadSize => HiddenSize / Heads;

    /// <summary>Rows of the position table.</summary>
    public int PositionRows => MaxPositions + 2;

    /// <summary>Exact number of parameters, the tied embedding counted once (L(12d^2+13d) + Vd + Pd + 2d for pre-norm).</summary>
    public long ParameterCount
    {
        get
        {
            long d = HiddenSize, f = FfnSize;
            var block = 4 * d * d + 4 * d + 2 * d * f + f + d + 4 * d;
            var projections = EmbeddingSize == HiddenSize ? 0 : 2L * EmbeddingSize * HiddenSize;
            return Layers * block + (long)VocabSize * EmbeddingSize + (long)PositionRows * HiddenSize + projections + (PreNorm ? 2 * d : 0);
        }
    }
}
