using FsCheck;
using FsCheck.Fluent;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

public sealed class KeyedDropoutTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    // Philox4x32-10 with counter (0, 0, 0, 0) and key (0, 0): known answers of the Random123 library.
    [Fact]
    public void The_words_are_those_of_Philox()
    {
        uint[] words = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
        foreach (var word in words.Index())
        {
            Assert.True(Kept(word.Item / 4294967296.0)[word.Index]);
            Assert.False(Kept((word.Item + 1) / 4294967296.0)[word.Index]);
        }

        List<bool> Kept(double p) => [.. ops.opt.keyed_dropout_mask(p, new DropoutKey(0, [0], 0, 0), 4).ToArray<bool>()];
    }

    [Fact]
    public void The_mask_does_not_depend_on_which_samples_share_a_batch() => Prop.ForAll(
        ArbMap.Default.GeneratorFor<int>().Select(Math.Abs).NonEmptyListOf().Select(list => list.Distinct().Take(6).Select(i => (long)i).ToArray()).ToArbitrary(),
        samples =>
        {
            using var scope = NewDisposeScope();
            var together = Mask(samples, 0, 3, 37).view(samples.Length, 3 * 37);
            return samples.Index().All(s => Mask([s.Item], 0, 3, 37).view(-1).equal(together.select(0, s.Index)));
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void The_mask_does_not_depend_on_how_heads_are_split_over_ranks(int ranks)
    {
        var heads = 8 / ranks;
        var whole = Mask([4, 7], 0, 8, 101).view(2, 8, 101);
        for (var rank = 0; rank < ranks; rank++)
        {
            Assert.True(whole.narrow(1, rank * heads, heads).equal(Mask([4, 7], rank * heads, heads, 101).view(2, heads, 101)));
        }
    }

    [Fact]
    public void Every_part_of_the_key_matters()
    {
        DropoutKey[] keys =
        [
            new(1, [5], 2, 3), new(2, [5], 2, 3), new(1L << 40, [5], 2, 3), new(1, [6], 2, 3), new(1, [5 + (1L << 32)], 2, 3),
            new(1, [5], 3, 3), new(1, [5], 2, 4), new(1, [5], 2, 3, FirstHead: 1),
        ];
        var masks = keys.Select(key => new string([.. ops.opt.keyed_dropout_mask(0.5, key, 256).ToArray<bool>().Select(kept => kept ? '1' : '0')])).ToList();
        Assert.Equal(masks.Count, masks.Distinct().Count());
    }

    [Fact]
    public void As_many_elements_are_dropped_as_the_probability_says_and_the_mean_stays()
    {
        var x = ones([4, 1 << 18]);
        var y = ops.opt.keyed_dropout(x, 0.1, new DropoutKey(3, [0, 1, 2, 3], 0, 0));
        Assert.Equal(0.1, y.eq(0).to(float64).mean().item<double>(), 0.001);
        Assert.Equal(1, y.mean().item<float>(), 0.002f);
        Assert.Equal(1 / 0.9f, y.max().item<float>(), 6);
    }

    [Fact]
    public void The_threads_do_not_matter()
    {
        var x = randn([3, 50000]);
        var key = new DropoutKey(3, [10, 11, 12], 1, 1);
        var many = ops.opt.keyed_dropout(x, 0.2, key);
        var mask = ops.opt.keyed_dropout_mask(0.2, key, 50000);
        Assert.True(many.equal(x.mul(1 / (1 - 0.2f)).mul(mask)));
        Assert.True(cat([.. x.unbind().Select((row, i) => ops.opt.keyed_dropout(row.unsqueeze(0), 0.2, key with { Samples = [10 + i] }))]).equal(many));
    }

    [Fact]
    public void Backward_drops_the_same_elements()
    {
        var x = randn([2, 1000], requires_grad: true);
        var key = new DropoutKey(9, [1, 2], 3, 1);
        var y = ops.opt.keyed_dropout(x, 0.4, key);
        var gradient = autograd.grad([y], [x], [ones_like(y)])[0]!;
        Assert.True(gradient.eq(0).equal(y.eq(0)));
    }

    [Fact]
    public void Other_types_get_the_same_mask()
    {
        var key = new DropoutKey(9, [1, 2], 3, 1);
        var wide = ops.opt.keyed_dropout(ones([2, 1000], float64), 0.4, key);
        Assert.True(wide.eq(0).equal(ops.opt.keyed_dropout(ones([2, 1000]), 0.4, key).eq(0)));
    }

    [Theory]
    [InlineData(-1, 0, "layer")]
    [InlineData(4096, 0, "layer")]
    [InlineData(0, 16, "site")]
    public void A_key_out_of_range_is_refused_by_name(int layer, int site, string named)
    {
        var error = Assert.Throws<ArgumentException>(() => ops.opt.keyed_dropout(ones([1, 4]), 0.1, new DropoutKey(0, [0], layer, site)));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_probability_out_of_range_is_refused() =>
        Assert.Throws<ArgumentException>(() => ops.opt.keyed_dropout(ones([1, 4]), 1.0, new DropoutKey(0, [0], 0, 0)));

    private static Tensor Mask(long[] samples, int firstHead, int heads, long inner) =>
        ops.opt.keyed_dropout_mask(0.5, new DropoutKey(17, samples, 2, 1, firstHead, heads), inner);
}
