using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Torch;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Optimization;

/// <summary>
/// Updates this rank's shards in fp32, all parameters alike: LayerNorms, biases and embeddings decay too, as in OPT, whose flat parameters made
/// no difference. Unscaling and clipping are one factor of the gradient.
/// </summary>
internal static class ShardedOptimizer
{
    /// <param name="values">The values in force.</param>
    /// <param name="step">Successful updates before this one.</param>
    /// <param name="momentsFrom">Step at which the moments last began from zero.</param>
    /// <param name="gradientScale">Turns what the shards hold into the clipped gradient of the mean loss.</param>
    public static void Update(ShardStorage storage, HyperParameters values, long step, long momentsFrom, double gradientScale)
    {
        using var off = no_grad();
        var rate = values.LearningRateAt(step);
        if (values.Optimizer.Type == OptimizerType.Sgd)
        {
            storage.Master.mul_(1 - rate * values.Optimizer.WeightDecay).add_(storage.Gradient, -rate * gradientScale);
        }
        else
        {
            ops.opt.adamw_step(storage.Master, storage.Gradient, storage.FirstMoment!, storage.SecondMoment!, Options(values.Optimizer, rate, step - momentsFrom + 1, gradientScale));
        }

        storage.RefreshWire();
    }

    private static AdamWOptions Options(OptimizerSpec spec, double rate, long step, double gradientScale) =>
        new(rate, spec.Beta1, spec.Beta2, spec.Eps, spec.WeightDecay, gradientScale, step, spec.WeightDecayRule == WeightDecayRule.StepSize ? AdamWRule.FusedV1 : AdamWRule.Decoupled);
}
