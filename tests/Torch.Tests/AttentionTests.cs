using Xunit;
using static Opt.Torch.torch;
using F = Opt.Torch.torch.nn.functional;

namespace Opt.Torch.Tests;

/// <summary>The fused causal attention against the same made of operators.</summary>
public sealed class AttentionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1, 1, 1, 4, 0)]
    [InlineData(1, 2, 7, 5, 0)]
    [InlineData(2, 3, 48, 16, 0)]
    [InlineData(2, 2, 97, 64, 0)]
    [InlineData(1, 1, 130, 80, 0)]
    [InlineData(2, 3, 49, 33, 0.1)]
    [InlineData(2, 2, 129, 64, 0.5)]
    public void Values_and_gradients_equal_those_of_the_operators(int batch, int heads, int length, int width, double p)
    {
        using var generator = new Generator(5);
        long[] shape = [batch, heads, length, width];
        var inputs = Enumerable.Range(0, 3).Select(_ => randn(shape, requires_grad: true, generator: generator)).ToArray();
        var direction = randn(shape, generator: generator);
        var scale = 1 / Math.Sqrt(width);
        DropoutKey? key = p > 0 ? new DropoutKey(21, [.. Enumerable.Range(40, batch).Select(i => (long)i)], 3, 1, 2, heads) : null;
        var fused = ops.opt.causal_attention(inputs[0], inputs[1], inputs[2], scale, p, key);
        var plain = Plain(inputs, length, scale, p, key);
        Close(plain, fused, "output");
        var expected = autograd.grad([plain], inputs, [direction]);
        var actual = autograd.grad([fused], inputs, [direction]);
        for (var i = 0; i < inputs.Length; i++)
        {
            Close(expected[i]!, actual[i]!, $"gradient {i}");
        }
    }

    [Fact]
    public void Projections_are_read_and_written_in_place_without_copies()
    {
        var projected = randn([2, 9, 3, 8]);
        var heads = projected.transpose(1, 2);
        var result = ops.opt.causal_attention(heads, heads, heads, 0.3);
        Assert.True(result.transpose(1, 2).is_contiguous());
        Close(ops.opt.causal_attention(heads.contiguous(), heads.contiguous(), heads.contiguous(), 0.3), result, "output");
    }

    [Fact]
    public void The_same_call_gives_the_same_bits()
    {
        var q = randn([2, 2, 100, 32]);
        var key = new DropoutKey(1, [0, 1], 0, 0, 0, 2);
        Assert.True(ops.opt.causal_attention(q, q, q, 0.2, 0.1, key).equal(ops.opt.causal_attention(q, q, q, 0.2, 0.1, key)));
    }

    [Fact]
    public void A_later_key_has_no_influence()
    {
        var q = randn([1, 1, 60, 16]);
        var changed = q.clone();
        changed.narrow(2, 50, 10).fill_(1000);
        var before = ops.opt.causal_attention(q, q, q, 0.25).narrow(2, 0, 50);
        Assert.True(before.equal(ops.opt.causal_attention(q, changed, changed, 0.25).narrow(2, 0, 50)));
    }

    [Fact]
    public void Unlike_shapes_and_a_missing_key_are_refused()
    {
        Assert.Throws<ArgumentException>(() => ops.opt.causal_attention(ones([1, 1, 4, 4]), ones([1, 1, 5, 4]), ones([1, 1, 5, 4]), 1));
        Assert.Throws<ArgumentException>(() => ops.opt.causal_attention(ones([1, 1, 4, 4]), ones([1, 1, 4, 4]), ones([1, 1, 4, 4]), 1, 0.1));
    }

    private static Tensor Plain(Tensor[] inputs, int length, double scale, double p, DropoutKey? key)
    {
        var mask = full([length, length], float.NegativeInfinity).triu(1);
        var weights = F.softmax((inputs[0] * scale).matmul(inputs[1].transpose(2, 3)) + mask, -1);
        return (key is { } given ? ops.opt.keyed_dropout(weights, p, given) : weights).matmul(inputs[2]);
    }

    private static void Close(Tensor expected, Tensor actual, string what) =>
        Assert.True(actual.allclose(expected, 1e-4, 2e-5), $"{what} is off by {(actual - expected).abs().max().item<float>()}");
}
