namespace Opt.Api;

/// <summary>
/// The OPT sizes with the batch, learning rate and tensor parallel degree Meta trained them with
/// (metaseq launcher/opt_job_constants.py and opt_baselines.py; 175B after the run12 script).
/// </summary>
/// <param name="BatchTokens">Tokens per optimizer step.</param>
/// <param name="PeakLearningRate">Peak of the linear warm-up and decay.</param>
/// <param name="WarmupSteps">int(375e6) // batch for the baselines; 2000 for 175B.</param>
/// <param name="GradientClip">Global L2 norm: 1.0 for the baselines, 0.3 at the end of the 175B run; 1.0 is the default here.</param>
public sealed record ModelPreset(string Name, ModelDimensions Dimensions, long BatchTokens, double PeakLearningRate, int WarmupSteps, int TensorParallel, double GradientClip)
{
    /// <summary>OPT's sequence length.</summary>
    public const int SequenceLength = 2048;

    /// <summary>The padded GPT-2 vocabulary of OPT.</summary>
    public const int VocabSize = 50272;

    /// <summary>All presets by size.</summary>
    public static readonly IReadOnlyList<ModelPreset> All =
    [
        Baseline("opt-8m", 4, 128, 2, 524_288, 1e-3, 1),
        Baseline("opt-125m", 12, 768, 12, 524_288, 6e-4, 1),
        Baseline("opt-350m", 24, 1024, 16, 524_288, 3e-4, 1) with { Dimensions = Dims(24, 1024, 16) with { EmbeddingSize = 512, PreNorm = false } },
        Baseline("opt-760m", 24, 1536, 16, 524_288, 2.5e-4, 1),
        Baseline("opt-1.3b", 24, 2048, 32, 1_048_576, 2e-4, 2),
        Baseline("opt-2.7b", 32, 2560, 32, 1_048_576, 1.6e-4, 4),
        Baseline("opt-6.7b", 32, 4096, 32, 2_097_152, 1.2e-4, 2),
        Baseline("opt-13b", 40, 5120, 40, 4_194_304, 1e-4, 2),
        Baseline("opt-30b", 48, 7168, 56, 4_194_304, 1e-4, 2),
        Baseline("opt-66b", 64, 9216, 72, 2_097_152, 0.8e-4, 8),
        Baseline("opt-175b", 96, 12288, 96, 2_031_616, 1.2e-4, 8) with { WarmupSteps = 2000 },
    ];

    /// <summary>The preset of that name, or null.</summary>
    public static ModelPreset? Find(string name) => All.FirstOrDefault(p => p.Name == name);

    private static ModelPreset Baseline(string name, int layers, int hidden, int heads, long batchTokens, double peak, int tensorParallel) =>
        new(name, Dims(layers, hidden, heads), batchTokens, peak, (int)(375_000_000 / batchTokens), tensorParallel, 1.0);

    private static ModelDimensions Dims(int layers, int hidden, int heads) => new()
    {
        Layers = layers,
        HiddenSize = hidden,
        Heads = heads,
        FfnSize = 4 * hidden,
        VocabSize = VocabSize,
        MaxPositions = SequenceLength,
        EmbeddingSize = hidden,
        PreNorm = true,
        Dropout = 0.1,
        AttentionDropout = 0.1,
    };
}
