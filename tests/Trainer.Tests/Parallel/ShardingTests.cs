using Opt.Api;
using Opt.Trainer.Model;
using Opt.Trainer.Parallel;
using Xunit;

namespace Opt.Trainer.Tests.Parallel;

public sealed class ShardingTests
{
    [Fact]
    public void Slices_tile_every_vector_exactly_once()
    {
        for (var shards = 1; shards <= 9; shards++)
        {
            for (long elements = 0; elements <= 64; elements++)
            {
                var slices = Enumerable.Range(0, shards).Select(s => Sharding.Slice(elements, shards, s)).ToArray();
                Assert.All(slices.Zip(slices.Skip(1)), pair => Assert.Equal(pair.First.Offset + pair.First.Length, pair.Second.Offset));
                Assert.Equal((0L, elements), (slices[0].Offset, slices.Sum(s => s.Length)));
            }
        }
    }

    [Fact]
    public void Nine_elements_over_four_ranks_leave_the_last_empty() =>
        Assert.Equal([3L, 3, 3, 0], Enumerable.Range(0, 4).Select(r => Sharding.Slice(9, 4, r).Length));

    [Theory]
    [InlineData(1, 1), InlineData(1, 3), InlineData(2, 2), InlineData(2, 5)]
    public void The_slice_tables_of_all_ranks_cover_every_local_parameter_once(int tensorParallel, int dataParallel)
    {
        var model = ModelPreset.Find("opt-8m")!.Dimensions;
        foreach (var unit in OptParameters.Units(model))
        {
            var layout = new UnitLayout(unit, tensorParallel, dataParallel);
            var covered = unit.Parameters.ToDictionary(p => p.Name, _ => 0L);
            for (var rank = 0; rank < dataParallel; rank++)
            {
                var expected = 0L;
                foreach (var slice in layout.SlicesOf(rank))
                {
                    Assert.Equal(expected, slice.UnitOffset);
                    Assert.Equal(covered[slice.Parameter], slice.ParameterOffset);
                    covered[slice.Parameter] += slice.Length;
                    expected += slice.Length;
                }
            }

            for (var i = 0; i < unit.Parameters.Count; i++) Assert.Equal(layout.LocalElements(i), covered[unit.Parameters[i].Name]);
        }
    }

    [Fact]
    public void Layout_faults_name_field_value_and_what_is_allowed()
    {
        var model = ModelPreset.Find("opt-125m")!.Dimensions;
        Assert.Empty(LayoutRules.Check(model, 2048, 8, 4));
        Assert.Equal(["topology.tensorParallel: 5 does not divide the 8 workers", "topology.tensorParallel: 5 does not divide model.heads 12",
            "topology.tensorParallel: 5 does not divide model.vocabSize 50272", "topology.tensorParallel: 5 does not divide model.ffnSize 3072"], LayoutRules.Check(model, 2048, 8, 5));
        Assert.Equal(["training.sequenceLength: 4096 is longer than model.maxPositions 2048"], LayoutRules.Check(model, 4096, 1, 1));
        Assert.Equal(["model.heads: 5 does not divide model.hiddenSize 768"], LayoutRules.Check(model with { Heads = 5 }, 2048, 1, 1));
        Assert.Equal(["model.layers: 0 is not allowed; at least 1"], LayoutRules.Check(model with { Layers = 0 }, 2048, 1, 1));
    }
}
