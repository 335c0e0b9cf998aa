using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests.Divergence;

/// <summary>Synthetic training curves: a falling loss with noise, norms around OPT's levels, and trouble where a test wants it.</summary>
internal static class Curve
{
    private static readonly HyperParameters Live = new()
    {
        PeakLearningRate = 1.2e-4, EndLearningRate = 1.2e-5, WarmupSteps = 100, DecaySteps = 10_000, GradientClip = 1, Optimizer = new(),
        LossScaleWindow = 128, LossScaleFloor = 0.25, LossScaleWindowRule = LossScaleWindow.Fixed, LossScaleInitial = 4, TotalSteps = 10_000,
    };

    public static List<StepRecord> Healthy(int steps, int seed, double noise = 0.01)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(1, steps).Select(step => At(step,
            loss: (2.2 + 8.6 * Math.Exp(-step / 300.0)) * (1 + noise * Normal(random)),
            gradientNorm: 0.18 * Math.Exp(0.1 * Normal(random)),
            activationNorm: 3400 * (1 + 0.01 * Normal(random)),
            lossScale: 4))];
    }

    /// <summary>From index <paramref name="from"/> on: each record changed by its distance from there.</summary>
    public static List<StepRecord> Troubled(this List<StepRecord> curve, int from, Func<StepRecord, int, StepRecord> trouble) =>
        [.. curve.Select((record, at) => at < from ? record : trouble(record, at - from))];

    public static StepRecord At(long step, double? loss = 3, double? gradientNorm = 0.2, double activationNorm = 3400, double lossScale = 4, bool skipped = false, long epoch = 1) => new()
    {
        Epoch = epoch, Revision = 0, Attempt = step, Step = step, Samples = step * 992, Tokens = step * 2_031_616, Loss = loss, LearningRate = 1e-4,
        LossScale = lossScale, GradientNorm = gradientNorm, ActivationNorm = activationNorm, Skipped = skipped, Time = DateTimeOffset.UnixEpoch.AddSeconds(20 * step),
        Seconds = 20, TokensPerSecond = 1e5, HyperParameters = Live,
    };

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
