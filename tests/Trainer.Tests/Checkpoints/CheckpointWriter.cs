using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A process that does nothing but save checkpoints, to be killed at any moment. Prints each step whose save it saw committed.</summary>
internal static class CheckpointWriter
{
    public const string FolderVariable = "OPT_TEST_FOLDER", EpochVariable = "OPT_TEST_EPOCH";

    public static async Task<int> RunAsync()
    {
        var store = new DirectoryStore(Environment.GetEnvironmentVariable(FolderVariable)!, new RetryPolicy(new() { Attempts = 1 }, TimeProvider.System, () => 0.5));
        var epoch = long.Parse(Environment.GetEnvironmentVariable(EpochVariable)!, System.Globalization.CultureInfo.InvariantCulture);
        await SaveForEverAsync(store, epoch);
        return 0;
    }

    private static async Task SaveForEverAsync(DirectoryStore store, long epoch)
    {
        for (var step = epoch * 1000 + 1; ; step++)
        {
            await using var run = TestRun.Start(store, epoch, TestModel.World(2, 1, step), TestRun.Spec(last: 3));
            var outcome = await run.SaveAsync(step);
            Console.WriteLine(outcome.Committed ? $"committed {step}" : $"failed {outcome.Error}");
        }
    }
}
