using Xunit;
using static Opt.Torch.torch;
using F = Opt.Torch.torch.nn.functional;

namespace Opt.Torch.Tests;

/// <summary>Operators against values written down: by hand where that is possible, from PyTorch 1.13 where not.</summary>
public sealed class OperatorTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Creation_fills_as_it_says()
    {
        Expect.Close([0, 0], zeros([2]));
        Expect.Close([1, 1], ones([2]));
        Expect.Close([2.5f, 2.5f], full([2], 2.5));
        Assert.Equal([0L, 1, 2, 3], arange(4).ToArray<long>());
        Assert.Equal([1L, 3, 5], arange(1, 7, 2).ToArray<long>());
        Expect.Close([1, 0, 0, 1], eye(2));
        Assert.Equal(float16, zeros([1], float16).dtype);
        Assert.Equal(bfloat16, zeros_like(ones([1]), bfloat16).dtype);
    }

    [Fact]
    public void Arithmetic_in_place_changes_the_tensor_and_returns_it()
    {
        var x = tensor([1f, 2, 3]);
        Assert.Same(x, x.add_(tensor([1f, 1, 1])).mul_(2).sub_(tensor([1f, 1, 1])).div_(3));
        Expect.Close([1, 5 / 3f, 7 / 3f], x);
        Expect.Close([1, 1, 1], ones([3]).addcmul_(tensor([1f, 2, 3]), zeros([3]), 5));
        Expect.Close([2, 3, 4], ones([3]).addcmul_(tensor([1f, 2, 3]), ones([3]), 1));
        Expect.Close([1.5f, 2, 2.5f], ones([3]).addcdiv_(tensor([1f, 2, 3]), full([3], 2), 1));
        Expect.Close([3, 5, 7], ones([3]).add_(tensor([1f, 2, 3]), 2));
        Expect.Close([2, 2.5f, 3], tensor([1f, 2, 3]).lerp_(tensor([3f, 3, 3]), 0.5));
        Expect.Close([1, 2, 2], tensor([0f, 2, 3]).clamp_(1, 2));
    }

    [Fact]
    public void Pointwise_functions_match_the_library_of_the_platform()
    {
        var x = tensor([0.25f, 1, 4]);
        Expect.Close([0.5f, 1, 2], x.sqrt());
        Expect.Close([2, 1, 0.5f], x.rsqrt());
        Expect.Close([0.0625f, 1, 16], x.pow(2));
        Expect.Close([MathF.Exp(0.25f), MathF.E, MathF.Exp(4)], x.exp());
        Expect.Close([MathF.Log(0.25f), 0, MathF.Log(4)], x.log());
        Expect.Close([MathF.Tanh(0.25f), MathF.Tanh(1), MathF.Tanh(4)], x.tanh());
        Expect.Close([1, 2], tensor([-1f, 2]).abs());
        Expect.Close([1, -2], -tensor([-1f, 2]));
    }

    [Fact]
    public void Reductions_agree_with_sums_done_by_hand()
    {
        var x = tensor(new float[] { 1, 2, 3, 4, 5, 6 }, [2, 3]);
        Assert.Equal(21, x.sum().item<float>());
        Expect.Close([5, 7, 9], x.sum(0));
        Expect.Close([2, 5], x.mean([1]));
        Assert.Equal(6, x.max().item<float>());
        Assert.Equal(1, x.min().item<float>());
        Expect.Close([3, 6], x.amax([1]));
        Expect.Close([1, 2, 3], x.amin([0]));
        Assert.Equal([2L, 2], x.argmax(1).ToArray<long>());
        Assert.Equal(MathF.Sqrt(91), x.norm().item<float>(), 5);
        Assert.Equal(MathF.Sqrt(91), x.vector_norm(2).item<float>(), 5);
        Assert.Equal(3 + MathF.Log(1 + MathF.Exp(-1) + MathF.Exp(-2)), x.logsumexp(1).ToArray<float>()[0], 5);
        Expect.Close([1, 3, 6, 4, 9, 15], x.cumsum(1));
    }

    [Fact]
    public void Sums_can_be_accumulated_in_a_wider_type()
    {
        var halves = full([2], 40000, float16);
        Assert.True(float.IsPositiveInfinity((float)halves.sum().item<Half>()));
        Assert.Equal(80000, halves.sum(float32).item<float>());
    }

    [Fact]
    public void Tests_for_finiteness_find_infinities_and_NaN()
    {
        var x = tensor([1, float.NaN, float.PositiveInfinity]);
        Assert.Equal([true, false, false], x.isfinite().ToArray<bool>());
        Assert.Equal([false, true, false], x.isnan().ToArray<bool>());
        Assert.False(x.isfinite().all().item<bool>());
        Assert.True(x.isnan().any().item<bool>());
    }

    [Fact]
    public void Views_share_memory_and_copies_do_not()
    {
        var x = zeros([4, 3]);
        x.narrow(0, 1, 2).fill_(1);
        x.slice(0, 0, 4, 3).add_(5);
        x.select(1, 0).mul_(2);
        Expect.Close([10, 5, 5, 2, 1, 1, 2, 1, 1, 10, 5, 5], x);
        x.clone().zero_();
        x.detach().view(12).narrow(0, 0, 1).fill_(7);
        Assert.Equal(7, x.ToArray<float>()[0]);
    }

    [Fact]
    public void Shapes_change_as_asked()
    {
        var x = arange(24, float32).view(2, 3, 4);
        Assert.Equal([3L, 2, 4], x.transpose(0, 1).shape);
        Assert.Equal([4L, 2, 3], x.permute(2, 0, 1).shape);
        Assert.Equal([6L, 4], x.reshape(-1, 4).shape);
        Assert.Equal([2L, 12], x.flatten(1).shape);
        Assert.Equal([2L, 1, 3, 4], x.unsqueeze(1).shape);
        Assert.Equal([3L, 4], x.narrow(0, 0, 1).squeeze(0).shape);
        Assert.Equal([2L, 3, 8], x.repeat(1, 1, 2).shape);
        Assert.False(x.transpose(0, 1).is_contiguous());
        Assert.True(x.transpose(0, 1).contiguous().is_contiguous());
        Assert.Equal(4, x.size(-1));
        Assert.Equal(24, x.numel());
    }

    [Fact]
    public void Splitting_and_joining_are_inverses()
    {
        var x = arange(10, float32);
        Assert.Equal([4L, 4, 2], x.split(4).Select(part => part.size(0)));
        Assert.Equal([1L, 9], x.split([1, 9]).Select(part => part.size(0)));
        Assert.Equal([5L, 5], x.chunk(2).Select(part => part.size(0)));
        Assert.Equal(20, arange(20).unbind().Length);
        Assert.True(cat(x.split(3)).equal(x));
        Assert.Equal([2L, 10], stack([x, x]).shape);
    }

    [Fact]
    public void Indexing_picks_and_places_rows()
    {
        var x = arange(6, float32).view(3, 2);
        Expect.Close([4, 5, 0, 1], x.index_select(0, tensor([2L, 0])));
        Expect.Close([1, 2, 5], x.gather(1, tensor(new long[] { 1, 0, 1 }, [3, 1])));
        Expect.Close([0, 1, 5, 7, 4, 5], x.clone().index_add_(0, tensor([1L]), tensor(new float[] { 3, 4 }, [1, 2]), 1));
        Expect.Close([9, 1, 9, 3, 9, 5], x.clone().scatter_(1, zeros([3, 1], int64), full([3, 1], 9)));
        Expect.Close([0, 0, 0, 3, 4, 5], x.masked_fill(x.lt(3), 0));
        Expect.Close([1, 1, 1, 3, 4, 5], where(x.ge(3), x, ones([3, 2])));
        Expect.Close([0, 0, 2, 3], arange(4, float32).view(2, 2).tril().mul(tensor(new float[] { 1, 1, 1, 1 }, [2, 2])));
        Expect.Close([0, 1, 0, 0], arange(4, float32).view(2, 2).triu(1));
    }

    [Fact]
    public void Products_of_every_kind_agree()
    {
        var a = arange(6, float32).view(2, 3);
        var b = arange(12, float32).view(3, 4);
        float[] expected = [20, 23, 26, 29, 56, 68, 80, 92];
        Expect.Close(expected, a.matmul(b));
        Expect.Close(expected, a.mm(b));
        Expect.Close(expected, a.unsqueeze(0).bmm(b.unsqueeze(0)));
        Expect.Close(expected, F.linear(a, b.t()));
        Expect.Close([41, 47, 53, 59, 113, 137, 161, 185], ones([2, 4]).addmm(a, b, 1, 2));
        Expect.Close([20.5f, 23.5f, 26.5f, 29.5f, 56.5f, 68.5f, 80.5f, 92.5f], ones([1, 2, 4]).baddbmm(a.unsqueeze(0), b.unsqueeze(0), 0.5f));
    }

    [Fact]
    public void Activations_match_their_formulas()
    {
        var x = tensor([-1f, 0, 2]);
        Expect.Close([0, 0, 2], F.relu(x));
        Expect.Close([-0.15865526f, 0, 1.9544997f], F.gelu(x));
        Expect.Close([-0.15880801f, 0, 1.9545977f], F.gelu(x, "tanh"));
        Expect.Close([0.04201007f, 0.11419519f, 0.84379473f], F.softmax(x, 0));
        Expect.Close([-3.1698463f, -2.1698463f, -0.16984606f], F.log_softmax(x, 0));
        Assert.Equal(float32, F.softmax(x.to(bfloat16), 0, float32).dtype);
    }

    [Fact]
    public void Layer_norm_scales_and_shifts()
    {
        var x = tensor(new float[] { 1, 2, 3, 4 }, [1, 4]);
        Expect.Close([-1.3416355f, -0.44721183f, 0.44721183f, 1.3416355f], F.layer_norm(x, [4]));
        Expect.Close([-1.683271f, 0.10557634f, 1.8944237f, 3.683271f], F.layer_norm(x, [4], full([4], 2), ones([4])));
    }

    [Fact]
    public void Embedding_reads_rows_and_cross_entropy_counts_what_is_not_ignored()
    {
        var table = arange(6, float32).view(3, 2);
        Expect.Close([4, 5, 0, 1], F.embedding(tensor([2L, 0]), table));
        var logits = tensor(new float[] { 1, 2, 3, 0.5f, -0.5f, 1 }, [2, 3]);
        Expect.Close([0.40760595f, 1.1041319f], F.cross_entropy(logits, tensor([2L, 0]), reduction: nn.Reduction.None), 1e-5f);
        Assert.Equal(0.40760595f, F.cross_entropy(logits, tensor([2L, -100])).item<float>(), 5);
    }

    [Theory]
    [InlineData(new[] { 10.2309f, 8.2309f, 6.2309f, 4.2309f })]
    public void Cross_entropy_gives_the_values_that_Megatron_tests_for_vocabulary_parallel_loss(float[] expected)
    {
        var logits = arange(8, float32).repeat(16, 16);
        var losses = F.cross_entropy(logits, arange(0, 32, 2), reduction: nn.Reduction.None).ToArray<float>();
        Expect.Close(expected, losses.AsSpan(0, 4), 1e-4f);
    }

    [Fact]
    public void Attention_of_the_library_averages_values_where_keys_are_alike()
    {
        var q = zeros([1, 1, 2, 4]);
        var v = arange(8, float32).view(1, 1, 2, 4);
        Expect.Close([2, 3, 4, 5, 2, 3, 4, 5], F.scaled_dot_product_attention(q, q, v));
        Expect.Close([0, 1, 2, 3, 2, 3, 4, 5], F.scaled_dot_product_attention(q, q, v, is_causal: true));
    }

    [Fact]
    public void Sixteen_bit_types_store_what_fits()
    {
        Assert.Equal((Half)3.099609375, tensor([3.1f]).to(float16).ToArray<Half>()[0]);
        Expect.Close([-9984], full([1], -10000).to(bfloat16).to(float32));
        Assert.Equal(0x3f80, ones([1]).to(bfloat16).AsSpan<ushort>()[0]);
    }
}
