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

    [Theory]
    [InlineData(OptimizerType.Adamw), InlineData(OptimizerType.Sgd)]
    public void Parameters_of_one_dimension_can_be_left_out_of_weight_decay(OptimizerType type)
    {
        using var storage = NewStorage();
        storage.Master.fill_(1);
        ShardedOptimizer.Update(storage, Values(new() { Type = type, WeightDecay = 0.5, WeightDecayScope = WeightDecayScope.Matrices }), 0, momentsFrom: 0, gradientScale: 1);   // the gradient is zero
        Assert.Equal([.. Enumerable.Repeat(1 - 0.01f * 0.5f, 15), .. Enumerable.Repeat(1f, 4)], storage.Master.ToArray<float>());
        ShardedOptimizer.Update(storage, Values(new() { Type = type, WeightDecay = 0.5 }), 1, momentsFrom: 0, gradientScale: 1);
        Assert.All(storage.Master.ToArray<float>()[15..], w => Assert.Equal(1 - 0.01f * 0.5f, w, 1e-7f));
    }

    [Fact]
    public void Weights_without_a_master_are_updated_in_fp32_and_rounded()
    {
        // metaseq gpu_tests/test_fp16_optimizer.py: w = 3, b = 5 in fp16, |2w + b - 12| , Adam, lr 0.1: w = 3.0996, b = 5.1016.
        using var storage = NewStorage(Precision.Fp16, masterWeights: false);
        Assert.Equal(float16, storage.Master.dtype);
        Assert.Same(storage.Master, storage.Wire);
        storage.Master.narrow(0, 0, 15).fill_(3);
        storage.Master.narrow(0, 15, 4).fill_(5);
        storage.Gradient.narrow(0, 0, 15).fill_(-2);
        storage.Gradient.narrow(0, 15, 4).fill_(-1);
        var values = Values(new() { Beta2 = 0.999, WeightDecay = 0 }) with { PeakLearningRate = 0.1, EndLearningRate = 0.1 };
        ShardedOptimizer.Update(storage, values, 0, momentsFrom: 0, gradientScale: 1);
        Assert.Equal([.. Enumerable.Repeat((Half)3.0996f, 15), .. Enumerable.Repeat((Half)5.1016f, 4)], storage.Master.ToArray<Half>());
        // An update below half a unit in the last place is lost: the deviation from OPT that fp32 masters mend.
        storage.Gradient.fill_(1e-3);
        ShardedOptimizer.Update(storage, values with { PeakLearningRate = 1e-5, EndLearningRate = 1e-5 }, 1, momentsFrom: 0, gradientScale: 1);
        Assert.All(storage.Master.ToArray<Half>()[..15], w => Assert.Equal((Half)3.0996f, w));
    }

    private static ShardStorage NewStorage(Precision precision = Precision.Fp32, bool masterWeights = true)
    {
        TinyRun.RequireTorch();
        return new([new("root", [new("a", [3, 5], null, Initialiser.One), new("b", [4], null, Initialiser.Zero)])], new(0, 1, 1), precision, moments: true, CPU, masterWeights);
    }

    private static HyperParameters Values(OptimizerSpec optimizer) => new()
    {
        PeakLearningRate = 0.01, EndLearningRate = 0.01, WarmupSteps = 0, DecaySteps = 1, GradientClip = 1, Optimizer = optimizer, TotalSteps = 1,
        LossScaleInitial = 4, LossScaleWindow = 1, LossScaleFloor = 1, LossScaleWindowRule = LossScaleWindow.Fixed,
    };
}
