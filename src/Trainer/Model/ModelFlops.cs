using Opt.Api;

namespace Opt.Trainer.Model;

/// <summary>Floating-point operations per token, forward and backward (Narayanan et al., SC21, section 5.1; "without" leaves the recomputed forward out).</summary>
public static class ModelFlops
{
    /// <summary>96 L d^2 (1 + s/(6d) + V/(16 L d)): hardware FLOPs with full recomputation; OPT's 147 TFLOP/s counts these.</summary>
    public static double WithRecomputation(ModelDimensions model, int sequenceLength)
    {
        double l = model.Layers, d = model.HiddenSize, v = model.VocabSize;
        return 96 * l * d * d * (1 + sequenceLength / (6 * d) + v / (16 * l * d));
    }

    /// <summary>72 L d^2 (1 + s/(6d) + V/(12 L d)): model FLOPs, the ones model FLOPs utilisation counts.</summary>
    public static double WithoutRecomputation(ModelDimensions model, int sequenceLength)
    {
        double l = model.Layers, d = model.HiddenSize, v = model.VocabSize;
        return 72 * l * d * d * (1 + sequenceLength / (6 * d) + v / (12 * l * d));
    }
}
