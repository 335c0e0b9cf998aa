using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

public sealed class CollectiveTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void All_reduce_sums_over_all_ranks(int world) => Ranks.Run(world, group =>
    {
        using var x = full([5], group.rank + 1);
        using var work = group.all_reduce(x);
        work.Wait();
        Assert.All(x.ToArray<float>(), value => Assert.Equal(world * (world + 1) / 2f, value));
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void All_gather_puts_every_part_in_rank_order(int world) => Ranks.Run(world, group =>
    {
        using var part = full([3], group.rank);
        using var whole = empty([3 * world]);
        using var work = group.all_gather_into_tensor(whole, part);
        work.Wait();
        Assert.Equal(Enumerable.Range(0, 3 * world).Select(i => (float)(i / 3)), whole.ToArray<float>());
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Reduce_scatter_of_halves_is_summed_exactly_in_fp32(int world) => Ranks.Run(world, group =>
    {
        using var input = full([2 * world], 40000, float16);
        using var output = empty([2]);
        using var work = group.reduce_scatter_tensor(output, input);
        work.Wait();
        Assert.All(output.ToArray<float>(), value => Assert.Equal(40000f * world, value));
    });

    [Fact]
    public void Broadcast_copies_the_root() => Ranks.Run(3, group =>
    {
        using var x = full([4], group.rank, bfloat16);
        using var work = group.broadcast(x, 2);
        work.Wait();
        using var wide = x.to(float32);
        Assert.Equal([2, 2, 2, 2], wide.ToArray<float>());
    });
}
