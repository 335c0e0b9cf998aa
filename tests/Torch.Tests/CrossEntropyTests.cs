using Xunit;
using static Opt.Torch.torch;
using F = Opt.Torch.torch.nn.functional;

namespace Opt.Torch.Tests;

public sealed class CrossEntropyTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(3, 5, 1.0)]
    [InlineData(4, 50272, 1.0)]
    [InlineData(5, 3001, 1000.0)]
    public void Losses_and_gradients_equal_those_of_the_operators(int tokens, int vocabulary, double magnitude)
    {
        var logits = randn([tokens, vocabulary]).mul_(magnitude).requires_grad_();
        var targets = randint(0, vocabulary, [tokens]);
        var expected = F.cross_entropy(logits, targets, reduction: nn.Reduction.None);
        var slope = autograd.grad([expected.sum()], [logits])[0]!;
        var (gradient, losses) = (logits.detach().clone(), empty([tokens]));
        ops.opt.cross_entropy_(gradient, targets, losses, 0.5);
        Assert.True(losses.allclose(expected, 1e-6, 1e-5));
        Assert.True(gradient.allclose(slope.mul(0.5), 1e-5, 1e-7));
    }

    [Fact]
    public void Padding_has_no_loss_and_no_gradient()
    {
        var (logits, losses) = (randn([2, 7]), empty([2]));
        ops.opt.cross_entropy_(logits, tensor([-1L, 3]), losses, 1);
        Assert.Equal(0, losses.ToArray<float>()[0]);
        Assert.Equal(0, logits.select(0, 0).abs().max().item<float>());
        Assert.NotEqual(0, losses.ToArray<float>()[1]);
    }

    [Fact]
    public void A_target_outside_the_vocabulary_is_refused() =>
        Assert.Throws<ArgumentException>(() => ops.opt.cross_entropy_(randn([1, 7]), tensor([7L]), empty([1]), 1));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(100)]
    public void The_head_in_chunks_gives_the_gradients_of_the_whole(int chunk)
    {
        var x = randn([10, 8], requires_grad: true);
        var w = randn([33, 8], requires_grad: true);
        var targets = randint(0, 33, [10]);
        var loss = F.cross_entropy(F.linear(x, w), targets, reduction: nn.Reduction.Sum);
        var expected = autograd.grad([loss], [x, w]);
        var (losses, gradX, gradW) = (empty([10]), empty([10, 8]), ones([33, 8]));
        ops.opt.linear_cross_entropy(x, w, targets, losses, 1, gradX, gradW, chunk);
        Assert.Equal(loss.item<float>(), losses.sum().item<float>(), 1e-4f);   // decimal places would round two neighbours apart
        Assert.True(gradX.allclose(expected[0]!, 1e-4, 1e-5));
        Assert.True(gradW.allclose(expected[1]!.add(1), 1e-4, 1e-5));
    }

    [Fact]
    public void The_head_in_sixteen_bit_adds_its_gradient_up_in_fp32()
    {
        var (x, w, targets) = (randn([10, 8]).to(bfloat16), randn([33, 8]).to(bfloat16), randint(0, 33, [10]));
        var (losses, gradX, gradW) = (empty([10]), empty([10, 8], bfloat16), ones([33, 8]));
        var (wideLosses, wideX, wideW) = (empty([10]), empty([10, 8]), ones([33, 8]));
        ops.opt.linear_cross_entropy(x, w, targets, losses, 1, gradX, gradW, 3);
        ops.opt.linear_cross_entropy(x.to(float32), w.to(float32), targets, wideLosses, 1, wideX, wideW, 3);
        Assert.True(losses.allclose(wideLosses, 2e-2, 2e-2));
        Assert.True(gradX.to(float32).allclose(wideX, 2e-2, 2e-2));
        Assert.True(gradW.allclose(wideW, 2e-2, 2e-2));
    }

    [Fact]
    public void Double_precision_takes_the_operators_and_agrees()
    {
        var logits = randn([3, 9]);
        var (narrow, wide) = (logits.clone(), logits.to(float64));
        var (first, second) = (empty([3]), empty([3]));
        var targets = tensor([0L, -1, 8]);
        ops.opt.cross_entropy_(narrow, targets, first, 2);
        ops.opt.cross_entropy_(wide, targets, second, 2);
        Assert.True(first.allclose(second, 1e-5, 1e-6));
        Assert.True(narrow.allclose(wide.to(float32), 1e-5, 1e-6));
    }
}
