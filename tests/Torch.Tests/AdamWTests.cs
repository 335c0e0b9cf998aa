using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

public sealed class AdamWTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(AdamWRule.Decoupled, new[] { .48950000447213393f, .49264424324202616f, .4935238301886618f })]
    [InlineData(AdamWRule.FusedV1, new[] { .48888197048338405f, .4917122705927163f, .4923992667091829f })]
    [InlineData(AdamWRule.Torch, new[] { 0.48950001f, 0.49264427f, 0.49352387f })]
    public void Three_steps_of_one_parameter_follow_the_rule(AdamWRule rule, float[] expected)
    {
        Tensor p = full([1], 0.5), m = zeros([1]), v = zeros([1]);
        float[] gradients = [0.1f, -0.2f, 0.05f];
        for (var step = 1; step <= 3; step++)
        {
            ops.opt.adamw_step(p, full([1], gradients[step - 1]), m, v, Options(rule, step));
            Assert.Equal(expected[step - 1], p.item<float>(), 2e-7f);
        }
    }

    [Theory]
    [InlineData(1, 2.236068)]
    [InlineData(2, 1.643421)]
    [InlineData(10, 0.972566)]
    [InlineData(20, 0.911799)]
    [InlineData(100, 0.997062)]
    public void The_fused_rule_decays_by_the_corrected_step(int step, double factor)
    {
        Tensor p = ones([1]), zero = zeros([1]);
        ops.opt.adamw_step(p, zero, zeros([1]), zeros([1]), Options(AdamWRule.FusedV1, step));
        Assert.Equal(1 - 0.01 * factor * 0.1, p.item<float>(), 1e-7);
    }

    [Fact]
    public void Scaling_the_gradient_is_part_of_the_step()
    {
        var g = randn([1000]);
        var scaled = Run(g.mul(256), 1 / 256.0, 1000);
        Assert.True(scaled.equal(Run(g, 1, 1000)));
    }

    // metaseq gpu_tests/test_fp16_optimizer.py: w = 3, b = 5 after one step of Adam with lr 0.1 on |2w + b - 12|.
    [Fact]
    public void Parameters_of_16_bits_are_updated_in_32_and_rounded()
    {
        Tensor p = tensor([3f, 5]).to(float16), g = tensor([-2f, -1]);
        ops.opt.adamw_step(p, g, zeros([2]), zeros([2]), new AdamWOptions(0.1, 0.9, 0.999, 1e-8, 0, 1, 1, AdamWRule.Torch));
        Assert.Equal([(Half)3.099609375, (Half)5.1015625], p.ToArray<Half>());
    }

    [Fact]
    public void Any_cut_of_a_flat_shard_gives_the_same_bits()
    {
        var g = randn([100003]);
        var whole = Run(g, 1, 100003);
        Tensor p = ones([100003]), m = zeros([100003]), v = zeros([100003]);
        for (var start = 0L; start < 100003; start += 7001)
        {
            var length = Math.Min(7001, 100003 - start);
            ops.opt.adamw_step(p.narrow(0, start, length), g.narrow(0, start, length), m.narrow(0, start, length), v.narrow(0, start, length), Options(AdamWRule.Decoupled, 1));
        }

        Assert.True(p.equal(whole));
    }

    [Fact]
    public void Unequal_lengths_and_wrong_types_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ops.opt.adamw_step(ones([2]), ones([3]), ones([2]), ones([2]), Options(AdamWRule.Torch, 1)));
        Assert.Throws<ArgumentException>(() => ops.opt.adamw_step(ones([2], float64), ones([2]), ones([2]), ones([2]), Options(AdamWRule.Torch, 1)));
        Assert.Throws<ArgumentException>(() => ops.opt.adamw_step(ones([2]), ones([2]), ones([2]), ones([2]), Options(AdamWRule.Torch, 0)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(100001)]
    public void The_sum_of_squares_agrees_with_double_arithmetic(int n)
    {
        var x = randn([n]);
        Assert.Equal(x.to(float64).square().sum().item<double>(), ops.opt.sum_of_squares(x), 1e-9 * n);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void The_sum_of_squares_is_finite_exactly_when_every_element_is(float bad)
    {
        var x = full([100001], float.MaxValue);
        Assert.True(double.IsFinite(ops.opt.sum_of_squares(x)));
        x.AsSpan<float>()[77777] = bad;
        Assert.False(double.IsFinite(ops.opt.sum_of_squares(x)));
    }

    private static AdamWOptions Options(AdamWRule rule, long step, double scale = 1) => new(0.01, 0.9, 0.95, 1e-8, 0.1, scale, step, rule);

    private static Tensor Run(Tensor gradient, double scale, long n)
    {
        var p = ones([n]);
        ops.opt.adamw_step(p, gradient, zeros([n]), zeros([n]), Options(AdamWRule.Decoupled, 1, scale));
        return p;
    }
}
