using Opt.Torch;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

public sealed class TensorTests
{
    [Fact]
    public void A_tensor_keeps_the_values_and_the_shape_it_was_made_of()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 3]);
        Assert.Equal([2L, 3L], x.shape);
        Assert.Equal([3L, 1L], x.stride());
        Assert.Equal(float32, x.dtype);
        Assert.Equal([1, 4, 2, 5, 3, 6], x.t().ToArray<float>());
    }

    [Fact]
    public void A_product_equals_the_one_done_by_hand()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new float[] { 1, 2, 3, 4 }, [2, 2]);
        var b = tensor(new float[] { 5, 6, 7, 8 }, [2, 2]);
        Assert.Equal([19, 22, 43, 50], matmul(a, b).ToArray<float>());
    }

    [Fact]
    public void Layer_norm_softmax_and_cross_entropy_give_the_written_down_values()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2, 3, 4 }, [1, 4]);
        Expect.Close([-1.3416355f, -0.44721183f, 0.44721183f, 1.3416355f], nn.functional.layer_norm(x, [4]));
        var target = tensor(new long[] { 3 });
        Assert.Equal(0.4401897f, nn.functional.cross_entropy(x, target).item<float>(), 6);
    }

    [Fact]
    public void Gradients_of_a_product_are_the_other_factor()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new float[] { 1, 2, 3 }, requires_grad: true);
        var b = tensor(new float[] { 4, 5, 6 }, requires_grad: true);
        var gradients = autograd.grad([(a * b).sum()], [a, b]);
        Assert.Equal([4, 5, 6], gradients[0]!.ToArray<float>());
        Assert.Equal([1, 2, 3], gradients[1]!.ToArray<float>());
    }

    [Fact]
    public void A_native_failure_arrives_with_its_text()
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<TorchException>(() => matmul(ones([2, 3]), ones([2, 3])));
        Assert.Contains("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_tensor_throws_before_native_code_sees_it()
    {
        var x = ones([2]);
        x.Dispose();
        Assert.Throws<ObjectDisposedException>(() => x.add(1));
        Assert.Throws<ObjectDisposedException>(() => x.shape);
        Assert.Throws<ObjectDisposedException>(() => cat([x, x]));
    }
}
