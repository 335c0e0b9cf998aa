using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Torch;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Optimization;

/// <summary>
/// Updates this rank's shards in fp32. By default all parameters decay alike: LayerNorms, biases and embeddings too, as in OPT, whose flat
/// parameters made no difference. Unscaling and clipping are one factor of the gradient. Weights without a master are widened, updated and
/// rounded a unit at a time (metaseq --memory-efficient-fp16).
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
        var spec = values.Optimizer;
        var rate = values.LearningRateAt(step);
        foreach (var run in storage.Runs(byKind: spec.WeightDecayScope == WeightDecayScope.Matrices))
        {
            using var scope = NewDisposeScope();
            var decay = run.Decays ? spec.WeightDecay : 0;
            var stored = run.Of(storage.Master);
            var weights = stored.dtype == float32 ? stored : stored.to(float32);
            if (spec.Type == OptimizerType.Sgd) weights.mul_(1 - rate * decay).add_(run.Of(storage.Gradient), -rate * gradientScale);
            else ops.opt.adamw_step(weights, run.Of(storage.Gradient), run.Of(storage.FirstMoment!), run.Of(storage.SecondMoment!), Options(spec, rate, decay, step - momentsFrom + 1, gradientScale));
            if (!ReferenceEquals(weights, stored)) stored.copy_(weights);
        }

        storage.RefreshWire();
    }

    private static AdamWOptions Options(OptimizerSpec spec, double rate, double decay, long step, double gradientScale) =>
        new(rate, spec.Beta1, spec.Beta2, spec.Eps, decay, gradientScale, step, spec.WeightDecayRule == WeightDecayRule.StepSize ? AdamWRule.FusedV1 : AdamWRule.Decoupled);
}
