using Opt.Api;
using Opt.Trainer.Parallel;
using Xunit;

namespace Opt.Trainer.Tests.Parallel;

public sealed class FootprintTests
{
    private static readonly Footprint Opt175B = new(new(ModelPreset.Find("opt-175b")!.Dimensions, 992, 8, 2048, 2_031_616, 2, 8, Recompute: true, Reshard: true));

    [Fact]
    public void The_175b_run_has_the_sizes_that_were_written_down()
    {
        Assert.Equal(176_240_535, Opt175B.ShardParameters);
        Assert.Equal(1.748, Opt175B.OptCheckpointBytes / 1e12, 1e-3);
        Assert.Equal(1.762, 10 * Opt175B.ShardParameters / 1e9, 1e-3);
        Assert.Equal(131, Opt175B.PlainWireBytes / 1e9, 1.2);
        Assert.Equal(402.7, Opt175B.TensorMessageBytes / 1e6, 0.1);
    }

    [Fact]
    public void The_175b_run_has_the_speed_that_was_published()
    {
        Assert.Equal(101_695.27, Opt175B.TokensPerSecond(147e12), 0.1);
        Assert.Equal(19.977, Opt175B.StepSeconds(147e12), 1e-3);
    }

    [Fact]
    public void Without_resharding_parameters_are_gathered_once_and_all_stay()
    {
        var resident = new Footprint(new(ModelPreset.Find("opt-175b")!.Dimensions, 992, 8, 2048, 2_031_616, 2, 8, Recompute: true, Reshard: false));
        Assert.Equal(2.0 / 3, (double)resident.PlainWireBytes / Opt175B.PlainWireBytes, 1e-9);
        Assert.Equal(2 * resident.GatheredParameters, resident.Memory.Gathered);
    }
}
