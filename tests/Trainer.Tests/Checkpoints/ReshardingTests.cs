using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Every world the tests know, into every other: each element of each slot must be where it belongs, padding must be zero. From some of them (OPT_SOAK=1: all) back again.</summary>
public sealed class ReshardingTests
{
    private static readonly bool s_soak = Environment.GetEnvironmentVariable("OPT_SOAK") == "1";
    private static readonly (int DataParallel, int TensorParallel)[] Worlds = [(1, 1), (2, 1), (3, 1), (4, 1), (7, 1), (1, 2), (2, 2), (3, 2), (4, 2)];

    public static TheoryData<int, int> Saved => new(Worlds);

    [Theory]
    [MemberData(nameof(Saved))]
    public async Task A_checkpoint_restores_exactly_into_every_other_world(int dataParallel, int tensorParallel)
    {
        using var directory = new TestDirectory();
        var store = directory.Open();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, default);
        await using var saver = TestRun.Start(store, 1, TestModel.World(dataParallel, tensorParallel, step: 7));
        Assert.Null((await saver.SaveAsync(7)).Error);
        var summary = Assert.Single((await log.ReadAsync(default)).ToCatalogue().Checkpoints);

        foreach (var (dp, tp) in Worlds)
        {
            var back = s_soak || (dp, tp) is (3, 1) or (4, 2);
            var there = await AssertRestoresAsync(store, summary, dp, tp, saveAs: back ? 1000 + 10 * dp + tp : 0);
            if (back) await AssertRestoresAsync(store, there, dataParallel, tensorParallel);
        }
    }

    /// <param name="saveAs">Step to save the restored state as; 0 for none.</param>
    /// <returns>That checkpoint.</returns>
    private static async Task<CheckpointSummary> AssertRestoresAsync(Opt.Trainer.Stores.ICheckpointStore store, CheckpointSummary summary, int dataParallel, int tensorParallel, long saveAs = 0)
    {
        var expected = TestModel.World(dataParallel, tensorParallel, step: 7);
        await using var loader = TestRun.Start(store, 1, TestModel.World(dataParallel, tensorParallel, step: null));
        var restored = await loader.RestoreAsync(summary);
        Assert.Equal(TestRun.State(summary.Step), restored.State);
        Assert.Empty(restored.MissingSlots);
        for (var rank = 0; rank < expected.Length; rank++) Assert.True(loader.Ranks[rank].HasSameStateAs(expected[rank]), $"rank {rank} of {dataParallel} x {tensorParallel}");
        if (saveAs == 0) return summary;
        Assert.Null((await loader.SaveAsync(saveAs)).Error);
        using var log = TestRun.Log(store);
        return (await log.ReadAsync(default)).ToCatalogue().Checkpoints[^1];
    }

    [Fact]
    public async Task A_run_that_changed_its_optimizer_gets_the_weights_and_is_told_what_is_missing()
    {
        using var directory = new TestDirectory();
        var store = directory.Open();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, default);
        await using var sgd = TestRun.Start(store, 1, TestModel.World(2, 1, step: 7, slots: [StateBuffer.Master]));
        Assert.Null((await sgd.SaveAsync(7)).Error);

        await using var adam = TestRun.Start(store, 1, TestModel.World(3, 1, step: null));
        var restored = await adam.RestoreAsync((await log.ReadAsync(default)).ToCatalogue().Checkpoints[0]);

        Assert.Equal([StateBuffer.FirstMoment, StateBuffer.SecondMoment], restored.MissingSlots.Order());
        var expected = TestModel.World(3, 1, step: 7);
        foreach (var (got, want) in adam.Ranks.SelectMany(r => r.State).Zip(expected.SelectMany(r => r.State)))
        {
            if (got.Slot == StateBuffer.Master) Assert.Equal(want.Values, got.Values);
            else Assert.All(got.Values, value => Assert.True(float.IsNaN(value), "untouched"));
        }
    }
}
