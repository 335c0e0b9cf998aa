using System.Globalization;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

public sealed class RandomTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void The_generator_gives_the_stream_that_llm_c_wrote_down_for_seed_137()
    {
        var generator = new Generator(137);
        var integers = string.Join(' ', randint(0, 0xFFFFFFFF, [5], generator: generator).ToArray<long>().Select(i => i.ToString(CultureInfo.InvariantCulture)));
        Assert.Equal("4053805790 2173880614 380293709 1237255315 2986595568", integers);
        Expect.Close([0.794766426f, 1.43693173f, -0.229219213f, 0.475563258f, -0.633441091f, -0.57919538f, -0.0925704762f, -0.865919709f],
            zeros([8]).normal_(generator: generator), 1e-6f);
        Assert.Equal(2186503452, randint(0, 0xFFFFFFFF, [1], generator: generator).item<long>());
    }

    [Fact]
    public void A_state_put_back_repeats_the_stream()
    {
        var generator = new Generator(5);
        var state = generator.get_state();
        Assert.Equal(5056, state.numel());
        var first = rand([10], generator: generator);
        generator.set_state(state);
        Assert.True(first.equal(rand([10], generator: generator)));
    }

    [Fact]
    public void Keyed_normals_are_the_same_however_the_whole_is_cut()
    {
        var whole = ops.opt.keyed_normal_(empty([10007]), 3, 8, 0, 0, 0.006);
        for (var start = 0L; start < 10007; start += 1009)
        {
            var length = Math.Min(1009, 10007 - start);
            var part = ops.opt.keyed_normal_(empty([length]), 3, 8, (ulong)start, 0, 0.006);
            Assert.True(part.equal(whole.narrow(0, start, length)));
        }

        Assert.False(whole.equal(ops.opt.keyed_normal_(empty([10007]), 3, 9, 0, 0, 0.006)));
    }

    [Fact]
    public void Keyed_normals_have_the_moments_asked_for()
    {
        var x = ops.opt.keyed_normal_(empty([1 << 20]), 1, 1, 0, 0.5, 2).to(float64);
        Assert.Equal(0.5, x.mean().item<double>(), 0.01);
        Assert.Equal(2, (x - 0.5).square().mean().sqrt().item<double>(), 0.01);
        Assert.Equal(3, (x - 0.5).div(2).pow(4).mean().item<double>(), 0.05);
        Assert.InRange(x.abs().max().item<double>(), 8, 14);
    }
}
