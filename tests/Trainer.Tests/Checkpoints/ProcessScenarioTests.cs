using System.Diagnostics;
using System.Globalization;
using Opt.Trainer.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>
/// Seeded scenarios of real processes over one store: each epoch's writer is killed, or stopped to wake behind later fences, at a request of its restore,
/// its saves or its pruning; some end well.
/// </summary>
public sealed class ProcessScenarioTests
{
    internal static readonly LogLimits Limits = new() { SnapshotEvery = 4, Margin = 8, ArchiveEntries = 4 };
    private const int Epochs = 4;
    private static readonly int Scenarios = Environment.GetEnvironmentVariable("OPT_SOAK") == "1" ? 100 : 4;

    [Fact]
    public async Task Writers_struck_at_any_request_leave_every_promise_kept()
    {
        foreach (var seed in Seeds.Of(1, Scenarios))
        {
            using var directory = new TestDirectory();
            var scenario = new Scenario(seed, directory);
            try
            {
                await scenario.RunAsync();
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                scenario.KillSleepers();
                throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
            }
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private sealed class Scenario(int seed, TestDirectory directory)
    {
        private readonly Random _random = new(seed);
        private readonly List<(int Epoch, Process Process, Task<string> Output)> _asleep = [];
        private long _newest;

        public async Task RunAsync()
        {
            using var log = TestRun.Log(directory.Open(), limits: Limits);
            for (var epoch = 1; epoch <= Epochs; epoch++)
            {
                await log.FenceAsync(epoch, adopt: false, default);
                var newest = _newest;
                if (await LiveAsync(epoch) is { } printed) Take(printed, newest);
                await CheckAsync(log);
            }

            foreach (var (epoch, process, output) in _asleep) await WakeAsync(epoch, process, output);
            await CheckAsync(log);
            await AssertLeftoversGoAsync(log);
        }

        /// <summary>So that a failure leaves no stopped process behind.</summary>
        public void KillSleepers()
        {
            foreach (var (_, process, _) in _asleep.Where(a => !a.Output.IsCompleted)) process.Kill();
        }

        /// <summary>What the writer printed before it ended; null when it sleeps.</summary>
        private async Task<string?> LiveAsync(int epoch)
        {
            var signal = _random.Next(4) switch { 0 => 0, 1 => FaultPointStore.SIGSTOP, _ => FaultPointStore.SIGKILL };
            var arguments = new ScenarioWriter.Arguments(directory.Path, epoch, _random.Next(2, 5), signal == 0 ? -1 : _random.Next(1, 110), (FaultPoint)_random.Next(3), signal);
            var start = new ProcessStartInfo("dotnet", [typeof(Roles).Assembly.Location]) { RedirectStandardOutput = true };
            start.Environment[Roles.Variable] = "scenario";
            start.Environment[ScenarioWriter.ArgumentsVariable] = arguments.ToString();
            var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            while (!process.HasExited)
            {
                if (IsStopped(process.Id))
                {
                    _asleep.Add((epoch, process, output));
                    return null;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            }

            var printed = await output;
            Assert.True(process.ExitCode == 128 + FaultPointStore.SIGKILL || printed.EndsWith("done\n", StringComparison.Ordinal), $"exit code {process.ExitCode}: {printed}");
            process.Dispose();
            return printed;
        }

        /// <summary>It may finish what it began before the fence; nothing it does later is seen.</summary>
        private async Task WakeAsync(int epoch, Process process, Task<string> output)
        {
            FaultPointStore.Signal(process.Id, FaultPointStore.SIGCONT);
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2), TimeProvider.System);
            var printed = await output;
            Assert.True(process.ExitCode == 0, $"epoch {epoch} ended with {process.ExitCode}");
            Assert.True(epoch < Epochs || printed.EndsWith("done\n", StringComparison.Ordinal), $"nobody overtook it: {printed}");
            process.Dispose();
            if (epoch == Epochs) Take(printed, long.MaxValue);
        }

        private void Take(string printed, long newestBefore)
        {
            foreach (var words in printed.Split('\n').Select(line => line.Split(' ')))
            {
                if (words is ["restored", var restored] && newestBefore != long.MaxValue) Assert.Equal(newestBefore, Number(restored));
                if (words is ["committed", var committed]) _newest = Math.Max(_newest, Number(committed));
            }
        }

        private async Task CheckAsync(CommitLog log)
        {
            var state = await log.ReadAsync(default);
            var newest = state.Checkpoints.Values.LastOrDefault();
            Assert.True((newest?.Commit.Step ?? 0) >= _newest, $"step {_newest} was seen committed; the newest is {newest?.Commit.Step}");
            foreach (var known in state.Checkpoints.Values) await (await CheckpointReader.OpenAsync(log.Store, known.ToSummary(), default)).VerifyAsync(null, default);
            _newest = newest?.Commit.Step ?? 0;
            if (newest is null) return;
            await using var loader = TestRun.Start(log.Store, state.FencedEpoch, TestModel.World(3, 1, step: null), limits: Limits);
            Assert.Equal(newest.Commit.Step, (await loader.RestoreAsync(newest.ToSummary())).Checkpoint.Step);
        }

        private async Task AssertLeftoversGoAsync(CommitLog log)
        {
            await log.FenceAsync(Epochs + 1, adopt: false, default);
            await new Pruner(log, Epochs + 1).DeleteLeftoversAsync(default);
            await log.Store.DeleteAbandonedAsync(TimeSpan.Zero, default);
            var state = await log.ReadAsync(default);
            var folder = Path.Combine(directory.Path, "checkpoints");
            var folders = Directory.Exists(folder) ? Directory.GetDirectories(folder).Select(f => Path.GetFileName(f)!).Order().ToArray() : [];
            Assert.Equal(state.Checkpoints.Values.Select(c => Path.GetFileName(c.Commit.Path)).Order(), folders);
            Assert.Empty(Directory.EnumerateFiles(directory.Path, ".tmp-*", SearchOption.AllDirectories));
        }

        private static bool IsStopped(int pid)
        {
            try
            {
                var stat = File.ReadAllText($"/proc/{pid}/stat");
                return stat[(stat.LastIndexOf(')') + 2)..][0] == 'T';
            }
            catch (IOException)
            {
                return false;   // it ended just now
            }
        }
    }
}
