using System.Runtime.InteropServices;

namespace Opt.Torch;

/// <summary>The update rules that go by the name AdamW. With s = lr √(1-β₂ᵗ) / (1-β₁ᵗ):</summary>
public enum AdamWRule
{
    /// <summary>p ← p (1 - lr wd); p ← p - s m / (√v + eps). metaseq's Python Adam.</summary>
    Decoupled = 0,

    /// <summary>p ← p - s (m / (√v + eps) + wd p). apex's first fused Adam, with which OPT was trained: the decay is scaled by s, not by lr.</summary>
    FusedV1 = 1,

    /// <summary>p ← p (1 - lr wd); p ← p - lr/(1-β₁ᵗ) m / (√v/√(1-β₂ᵗ) + eps). torch.optim.AdamW: eps meets the corrected root.</summary>
    Torch = 2,
}

/// <summary>The numbers of one AdamW update; <c>opt_adamw_options</c> of opttorch.h.</summary>
/// <param name="LearningRate">lr.</param>
/// <param name="Beta1">Decay of the mean of gradients, in [0, 1).</param>
/// <param name="Beta2">Decay of the mean of squared gradients, in [0, 1).</param>
/// <param name="Eps">Added to the root of the second moment.</param>
/// <param name="WeightDecay">wd.</param>
/// <param name="GradScale">Every gradient is multiplied by this first: unscaling, averaging and clipping in one factor.</param>
/// <param name="Step">1 for the first update.</param>
/// <param name="Rule">Which AdamW.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct AdamWOptions(
    double LearningRate, double Beta1, double Beta2, double Eps, double WeightDecay, double GradScale, long Step, AdamWRule Rule)
{
    private readonly int _reserved;
}
