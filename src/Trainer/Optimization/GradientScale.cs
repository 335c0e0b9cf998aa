namespace Opt.Trainer.Optimization;

/// <summary>
/// How the loss is scaled before backward and gradients after it. Gradients are of the loss summed over tokens, divided once by the global
/// token count. In fp16 the sum is first normalised to <see cref="ReferenceTokens"/> per data-parallel rank and multiplied by the loss scale,
/// so that OPT's scales (4, 1.0) mean the same at any layout; that factor is taken out again in fp32.
/// </summary>
/// <param name="Seed">Factor of the summed loss at the start of backward.</param>
/// <param name="Unscale">Factor that turns the reduced gradient (summed over ranks) into the gradient of the mean loss per token.</param>
public readonly record struct GradientScale(double Seed, double Unscale)
{
    /// <summary>8 sequences of 2048 tokens: what one data-parallel group of OPT-175B held, over which its loss was summed.</summary>
    public const int ReferenceTokens = 16_384;

    /// <param name="lossScale">Null when the precision needs no loss scaling.</param>
    public static GradientScale Of(double? lossScale, long globalTokens, int dataParallel)
    {
        if (lossScale is not { } scale) return new(1, 1.0 / globalTokens);
        var seed = scale * ReferenceTokens * dataParallel / globalTokens;
        return new(seed, 1 / (seed * globalTokens));
    }
}

/// <summary>
/// Factors around a reduction that sums in 16 bit: gradients are divided by <see cref="Pre"/> before and by <see cref="Post"/> after
/// (fairscale FullyShardedDataParallel, automatic rule).
/// </summary>
public readonly record struct PrePostDivide(double Pre, double Post)
{
    public static PrePostDivide Of(int ranks)
    {
        var pre = 1;
        while (ranks % pre == 0 && (double)ranks / pre > pre) pre *= 2;
        return new(pre, (double)ranks / pre);
    }
}

/// <summary>Clipping by global L2 norm.</summary>
public static class GradientClipping
{
    /// <summary>clip / norm when the norm is above the clip, else 1; a clip of 0 means no clipping. No epsilon, as metaseq's fp16 path.</summary>
    public static double Coefficient(double norm, double clip) => clip > 0 && norm > clip ? clip / norm : 1;
}
