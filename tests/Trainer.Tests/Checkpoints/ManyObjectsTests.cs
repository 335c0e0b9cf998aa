using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>The object count of a 175B run: 992 ranks, few bytes each. Measures the memory of the whole process, so nothing else may run beside it.</summary>
[Collection("alone")]
public sealed class ManyObjectsTests
{
    private const int Ranks = 992;

    [Fact]
    public async Task A_catalogue_a_verification_and_a_prune_of_992_objects_each_take_seconds_in_bounded_memory()
    {
        using var directory = new TestDirectory();
        var store = directory.Open();
        using var log = TestRun.Log(store);
        await log.FenceAsync(1, adopt: false, default);
        var ranks = TestModel.World(Ranks / 2, 2, step: 1);
        Assert.Equal(Ranks, ranks.Length);
        await using (var run = TestRun.Start(store, 1, ranks))
        {
            for (var step = 1; step <= 3; step++) Assert.True((await run.SaveAsync(step)).Committed);
        }

        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var reading = TestRun.Log(store);
        LogState state = LogState.Empty;
        await WithinAsync(5, async () => state = await reading.ReadAsync(default));
        Assert.Equal(3, state.Checkpoints.Count);
        var reader = await CheckpointReader.OpenAsync(store, state.Checkpoints.Values.Last().ToSummary(), default);
        Assert.Equal(Ranks, reader.Manifest.Objects.Count);
        await WithinAsync(5, () => reader.VerifyAsync(null, default));
        await WithinAsync(5, () => new Pruner(reading, 1).RetireAsync(new() { Last = 1, EverySteps = 0 }, default));
        Assert.Equal(Ranks + 2, Directory.GetFiles(Path.Combine(directory.Path, "checkpoints"), "*", SearchOption.AllDirectories).Length);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 32 << 20);
    }

    /// <summary>Seconds on a machine to itself; minutes are left to a busy one.</summary>
    private static Task WithinAsync(int minutes, Func<Task> work) => work().WaitAsync(TimeSpan.FromMinutes(minutes), TimeProvider.System);
}
