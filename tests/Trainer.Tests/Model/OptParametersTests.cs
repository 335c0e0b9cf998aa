using Opt.Api;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Xunit;

namespace Opt.Trainer.Tests.Model;

public sealed class OptParametersTests
{
    [Theory]
    [InlineData("opt-125m", 125_239_296), InlineData("opt-350m", 331_196_416), InlineData("opt-1.3b", 1_315_758_080), InlineData("opt-2.7b", 2_651_596_800)]
    [InlineData("opt-6.7b", 6_658_473_984), InlineData("opt-13b", 12_853_473_280), InlineData("opt-30b", 29_974_540_288), InlineData("opt-66b", 65_719_701_504)]
    [InlineData("opt-175b", 174_604_468_224), InlineData("opt-8m", 7_490_560), InlineData("opt-760m", 760_326_144)]
    public void Every_preset_has_exactly_the_published_number_of_parameters(string preset, long expected)
    {
        var model = ModelPreset.Find(preset)!.Dimensions;
        Assert.Equal(expected, OptParameters.Units(model).Sum(u => u.Parameters.Sum(p => p.Elements)));
        Assert.Equal(expected, model.ParameterCount);
    }

    [Fact]
    public void The_175b_shards_have_the_sizes_of_the_run()
    {
        var units = OptParameters.Units(ModelPreset.Find("opt-175b")!.Dimensions);
        var root = new UnitLayout(units[0], 8, 124);
        var block = new UnitLayout(units[1], 8, 124);
        Assert.Equal((226_576_896L, 1_827_234L, 120L), (block.Elements, block.ShardElements, block.GatheredElements - block.Elements));
        Assert.Equal((102_432_768L, 826_071L, 36L), (root.Elements, root.ShardElements, root.GatheredElements - root.Elements));
        Assert.Equal(176_240_535, root.ShardElements + 96 * block.ShardElements);
        Assert.Equal((1_770_132L, 0L), (new UnitLayout(units[1], 8, 128).ShardElements, new UnitLayout(units[1], 8, 128).GatheredElements - block.Elements));
        Assert.Equal(800_256, new UnitLayout(units[0], 8, 128).ShardElements);
    }

    [Theory]
    [InlineData("opt-125m", 1.213121e9, 9.677537e8), InlineData("opt-1.3b", 1.189203e10, 9.073459e9), InlineData("opt-2.7b", 2.358919e10, 1.788494e10)]
    [InlineData("opt-6.7b", 5.707006e10, 4.311142e10), InlineData("opt-13b", 1.089185e11, 8.207499e10), InlineData("opt-30b", 2.501965e11, 1.881879e11)]
    [InlineData("opt-66b", 5.439457e11, 4.086542e11), InlineData("opt-175b", 1.433931e12, 1.076375e12), InlineData("opt-350m", 3.530097e9, 2.724790e9)]
    public void Flops_per_token_are_those_of_the_paper(string preset, double with, double without)
    {
        var model = ModelPreset.Find(preset)!.Dimensions;
        Assert.Equal(1, ModelFlops.WithRecomputation(model, 2048) / with, 1e-6);
        Assert.Equal(1, ModelFlops.WithoutRecomputation(model, 2048) / without, 1e-6);
    }

    [Fact]
    public void Key_value_and_query_lie_side_by_side_so_that_one_view_is_the_fused_projection()
    {
        var block = new UnitLayout(OptParameters.Units(ModelPreset.Find("opt-125m")!.Dimensions)[1], 2, 1);
        Assert.EndsWith("k_proj.weight", block.Unit.Parameters[0].Name);
        Assert.EndsWith("v_proj.weight", block.Unit.Parameters[1].Name);
        Assert.EndsWith("q_proj.weight", block.Unit.Parameters[2].Name);
        Assert.Equal(768L * 768 / 2, block.OffsetOf(1));
        Assert.Equal([384L, 768], block.LocalShape(0));
        Assert.Equal([768L, 384], block.LocalShape(6));
    }
}
