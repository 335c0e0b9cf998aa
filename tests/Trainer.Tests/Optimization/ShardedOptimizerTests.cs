using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Model;
using Opt.Trainer.Optimization;
using Opt.Trainer.Parallel;
using Opt.Trainer.Tests.Loop;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Trainer.Tests.Optimization;

public sealed class ShardedOptimizerTests
{
    [Theory]
    [InlineData(WeightDecayRule.LearningRate, .48950000447213393, .49264424324202616, .4935238301886618)]
    [InlineData(WeightDecayRule.StepSize, .48888197048338405, .4917122705927163, .4923992667091829)]
    public void Both_decay_rules_of_adamw_give_the_written_down_values(WeightDecayRule rule, params double[] expected)
    {
        using var storage = NewStorage();
        storage.Master.fill_(0.5);
        var values = Values(new() { WeightDecay = 0.1, WeightDecayRule = rule });
        double[] gradients = [.1, -.2, .05];
        for (var t = 0; t < 3; t++)
        {
            storage.Gradient.fill_(4 * gradients[t]);
            ShardedOptimizer.Update(storage, values, t, 0, gradientScale: 0.25);
            Assert.All(storage.Master.ToArray<float>(), w => Assert.Equal(expected[t], w, 1e-6));
        }
    }

    [Fact]
    public void Sgd_is_the_plain_rule_with_the_same_unscaling_and_clipping_factor()
    {
        using var storage = NewStorage();
        storage.Master.fill_(1);
        storage.Gradient.fill_(2);
        ShardedOptimizer.Update(storage, Values(new() { Type = OptimizerType.Sgd, WeightDecay = 0.5 }), 0, 0, gradientScale: 0.25);
        Assert.All(storage.Master.ToArray<float>(), w => Assert.Equal(1 * (1 - 0.01 * 0.5) - 0.01 * 0.25 * 2, w, 1e-7));
    }

    private static ShardStorage NewStorage()
    {
        TinyRun.RequireTorch();
        return new([new("root", [new("a", [3, 5], null, Initialiser.One)])], new(0, 1, 1), Precision.Fp32, moments: true, CPU);
    }

    private static HyperParameters Values(OptimizerSpec optimizer) => new()
    {
        PeakLearningRate = 0.01, EndLearningRate = 0.01, WarmupSteps = 0, DecaySteps = 1, GradientClip = 1, Optimizer = optimizer, TotalSteps = 1,
        LossScaleInitial = 4, LossScaleWindow = 1, LossScaleFloor = 1, LossScaleWindowRule = LossScaleWindow.Fixed,
    };
}
