using System.Globalization;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A process that restores, saves, observes and prunes as one epoch of a store, and is struck at a request of its parent's choice.</summary>
internal static class ScenarioWriter
{
    public const string ArgumentsVariable = "OPT_TEST_SCENARIO";

    /// <summary>How the parent asks for it.</summary>
    public sealed record Arguments(string Folder, long Epoch, int Saves, int At, FaultPoint Where, int Signal)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Folder}|{Epoch}|{Saves}|{At}|{Where}|{Signal}");

        public static Arguments Parse(string text)
        {
            var words = text.Split('|');
            var numbers = words.Select(w => int.TryParse(w, CultureInfo.InvariantCulture, out var number) ? number : 0).ToArray();
            return new(words[0], numbers[1], numbers[2], numbers[3], Enum.Parse<FaultPoint>(words[4]), numbers[5]);
        }
    }

    public static async Task<int> RunAsync()
    {
        var arguments = Arguments.Parse(Environment.GetEnvironmentVariable(ArgumentsVariable)!);
        var directory = new DirectoryStore(arguments.Folder, new RetryPolicy(new() { Attempts = 1 }, TimeProvider.System, () => 0.5));
        var store = new FaultPointStore(directory, arguments.At, arguments.Where, arguments.Signal);
        try
        {
            await LiveAsync(store, arguments);
            Console.WriteLine("done");
        }
        catch (StoreFencedException)
        {
            Console.WriteLine("fenced");
        }
        catch (Exception e) when (e is CheckpointException or StoreException)
        {
            Console.WriteLine($"error {e.Message}");   // what it was about to read was pruned while it slept
        }

        return 0;
    }

    private static async Task LiveAsync(FaultPointStore store, Arguments arguments)
    {
        using var log = TestRun.Log(store, limits: ProcessScenarioTests.Limits);
        var newest = (await log.ReadAsync(default)).Checkpoints.Values.LastOrDefault();
        await using var run = TestRun.Start(store, arguments.Epoch, TestModel.World(2, 1, newest?.Commit.Step ?? 0), TestRun.Spec(last: 2, afterSteps: 2), limits: ProcessScenarioTests.Limits);
        if (newest is not null) Console.WriteLine($"restored {(await run.RestoreAsync(newest.ToSummary())).Checkpoint.Step}");
        for (var (step, end) = ((newest?.Commit.Step ?? 0) + 1, (newest?.Commit.Step ?? 0) + arguments.Saves); step <= end; step++)
        {
            var outcome = await run.SaveAsync(step);
            Console.WriteLine(outcome.Committed ? $"committed {step}" : $"failed {outcome.Error}");
            run.Sessions[0].Observe(TestRun.Record(step + 2));
        }
    }
}
