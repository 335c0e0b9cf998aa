using System.Diagnostics;
using System.Globalization;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>A process that saves and prunes without pause is killed at random moments, again and again, over one store.</summary>
public sealed class KilledWriterTests
{
    private const int Seed = 20260105;
    private static readonly int Kills = Environment.GetEnvironmentVariable("OPT_SOAK") == "1" ? 300 : 8;

    [Fact]
    public async Task Killing_a_writer_at_random_moments_loses_nothing_that_was_committed()
    {
        using var directory = new TestDirectory();
        var store = directory.Open();
        using var log = TestRun.Log(store);
        var random = new Random(Seed);
        long seenBefore = 0;
        for (var epoch = 1; epoch <= Kills; epoch++)
        {
            await log.FenceAsync(epoch, adopt: false, default);
            var printed = await RunAndKillAsync(directory.Path, epoch, TimeSpan.FromMilliseconds(random.Next(0, 150)));
            var state = await log.ReadAsync(default);
            var newest = state.Checkpoints.Values.LastOrDefault();

            // What the writer saw committed is there (or made room for a newer one), and the newest one is whole.
            Assert.True((newest?.Commit.Step ?? 0) >= Math.Max(seenBefore, printed), $"seed {Seed}, kill {epoch}: saw {printed} committed, newest is {newest?.Commit.Step}");
            foreach (var known in state.Checkpoints.Values) await (await CheckpointReader.OpenAsync(store, known.ToSummary(), default)).VerifyAsync(null, default);
            seenBefore = newest?.Commit.Step ?? 0;
        }

        Assert.True(seenBefore > 1000, "nothing was ever committed: the test shows nothing");
        await AssertLeftoversGoAsync(log, directory.Path);
    }

    /// <summary>The last step the writer printed as committed; 0 for none.</summary>
    private static async Task<long> RunAndKillAsync(string folder, int epoch, TimeSpan after)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Roles).Assembly.Location]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[Roles.Variable] = "writer";
        start.Environment[CheckpointWriter.FolderVariable] = folder;
        start.Environment[CheckpointWriter.EpochVariable] = epoch.ToString(CultureInfo.InvariantCulture);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var printed = await process.StandardOutput.ReadLineAsync();   // it has begun; from here on any moment may be the last
        await Task.Delay(after, TimeProvider.System);
        process.Kill();
        var lines = $"{printed}\n{await process.StandardOutput.ReadToEndAsync()}".Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await process.WaitForExitAsync();
        Assert.Empty(await errors);
        Assert.All(lines.SkipLast(1), line => Assert.StartsWith("committed ", line, StringComparison.Ordinal));
        // The last line may be cut off by the kill.
        return lines.Select(l => l.Split(' ')).Where(w => w is ["committed", { Length: >= 4 }]).Select(w => long.Parse(w[1], CultureInfo.InvariantCulture)).DefaultIfEmpty(0).Max();
    }

    private static async Task AssertLeftoversGoAsync(CommitLog log, string folder)
    {
        await log.FenceAsync(Kills + 1, adopt: false, default);
        var pruner = new Pruner(log, Kills + 1);
        await pruner.RetireAsync(new() { Last = 3, EverySteps = 0 }, default);
        await pruner.DeleteLeftoversAsync(default);
        await log.Store.DeleteAbandonedAsync(TimeSpan.Zero, default);
        var state = await log.ReadAsync(default);
        Assert.Equal(3, state.Checkpoints.Count);
        Assert.DoesNotContain(Directory.GetFiles(folder, "*", SearchOption.AllDirectories), f => Path.GetFileName(f).StartsWith('.'));
        Assert.Equal(state.Checkpoints.Values.Select(c => c.Commit.Path).Order(), Directory.GetDirectories(Path.Combine(folder, "checkpoints")).Select(d => $"checkpoints/{Path.GetFileName(d)}").Order());
    }
}
