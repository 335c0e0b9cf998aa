using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>
/// Seeded lives of a store: several epochs, each saving, observing, pruning and sometimes overtaken by the next while it still writes, with faults on
/// any request. After each life the promises must hold. A failing seed is printed and replays alone.
/// </summary>
public sealed class FaultScenarioTests(Azurite azurite)
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    [Fact]
    public async Task Every_seeded_life_of_a_directory_keeps_the_promises()
    {
        for (var seed = 1; seed <= (Soak ? 900 : 15); seed++)
        {
            using var directory = new TestDirectory();
            await LiveAsync(seed, directory.Open());
        }
    }

    [Fact]
    public async Task Every_seeded_life_of_a_blob_container_keeps_the_promises()
    {
        for (var seed = 1001; seed <= 1000 + (Soak ? 100 : 3); seed++) await LiveAsync(seed, await azurite.OpenStoreAsync());
    }

    private static async Task LiveAsync(int seed, ICheckpointStore store)
    {
        try
        {
            await new Life(seed, store).RunAsync();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
        }
    }

    private sealed class Life(int seed, ICheckpointStore store)
    {
        private readonly Random _random = new(seed);
        private readonly List<long> _seenCommitted = [];
        private readonly List<TestRun> _overtaken = [];
        private long _step;

        public async Task RunAsync()
        {
            for (var epoch = 1; epoch <= 4; epoch++) await LiveEpochAsync(epoch);
            foreach (var run in _overtaken) await WakeAsync(run);
            await CheckAsync();
        }

        private async Task LiveEpochAsync(int epoch)
        {
            using var log = TestRun.Log(store);
            await log.FenceAsync(epoch, adopt: false, default);
            var (dataParallel, tensorParallel) = (_random.Next(1, 4), _random.Next(1, 3));
            var faults = new Faults(_random.Next(), _random.Next(4) * 0.04);
            var spec = TestRun.Spec(last: _random.Next(1, 4), afterSteps: 3);
            var run = TestRun.Start(store, epoch, TestModel.World(dataParallel, tensorParallel, _step), spec, storeOf: _ => new FaultyStore(store, faults.Next));
            if ((await log.ReadAsync(default)).Checkpoints.Values.LastOrDefault() is { } newest) await ResumeAsync(run, newest);
            for (var i = _random.Next(1, 5); i > 0; i--) await SaveAsync(run);
            if (_random.Next(3) == 0) _overtaken.Add(run);
            else await run.DisposeAsync();
        }

        private static async Task ResumeAsync(TestRun run, KnownCheckpoint newest)
        {
            try
            {
                var restored = await run.RestoreAsync(newest.ToSummary());
                Assert.Equal(newest.Commit.Step, restored.Checkpoint.Step);
            }
            catch (StoreException)
            {
                // the run would end with exit code Store and be launched again
            }
        }

        private async Task SaveAsync(TestRun run)
        {
            _step += _random.Next(1, 4);
            foreach (var rank in run.Ranks) rank.State.ForEach(s => Array.Fill(s.Values, _step));
            run.Sessions[0].Observe(TestRun.Record(_step));
            if ((await run.SaveAsync(_step)).Committed) _seenCommitted.Add(_step);
        }

        /// <summary>A run of an older epoch that slept through newer fences tries to save.</summary>
        private async Task WakeAsync(TestRun run)
        {
            using var log = TestRun.Log(store);
            var fenced = (await log.ReadAsync(default)).FencedEpoch;
            var before = (await log.ReadAsync(default)).Checkpoints.Count;
            try
            {
                var outcome = await run.SaveAsync(++_step);
                if (outcome.Committed) Assert.Equal(4, fenced);   // only the newest epoch may
            }
            catch (StoreFencedException)
            {
                Assert.Equal(before, (await log.ReadAsync(default)).Checkpoints.Count);
            }

            await run.DisposeAsync();
        }

        private async Task CheckAsync()
        {
            using var log = TestRun.Log(store);
            var state = await log.ReadAsync(default);
            foreach (var known in state.Checkpoints.Values) await (await CheckpointReader.OpenAsync(store, known.ToSummary(), default)).VerifyAsync(null, default);
            if (_seenCommitted.Count > 0) Assert.True(state.Checkpoints.Values.Max(c => c.Commit.Step) >= _seenCommitted[^1], $"step {_seenCommitted[^1]} was committed and is gone");
            await CheckOrderAsync(state);
            if (state.Checkpoints.Values.LastOrDefault() is not { } newest) return;
            await using var loader = TestRun.Start(store, 4, TestModel.World(2, 1, step: null));
            Assert.Equal(newest.Commit.Step, (await loader.RestoreAsync(newest.ToSummary())).Checkpoint.Step);
        }

        /// <summary>Replays the log: no commit behind a newer fence, and never fewer than two healthy ones once there were two.</summary>
        private async Task CheckOrderAsync(LogState final)
        {
            var state = LogState.Empty;
            for (var n = 1; n <= final.Entry; n++)
            {
                var entry = System.Text.Json.JsonSerializer.Deserialize((await store.TryReadAsync(CommitLog.NameOf(n), 1 << 20, default))!, CheckpointJson.Default.LogEntry)!;
                Assert.Null(LogRules.Refusal(state, entry));
                Assert.True(entry.Epoch >= state.FencedEpoch);
                var healthy = state.Healthy.Count();
                state = state.Apply(entry);
                Assert.True(state.Healthy.Count() >= Math.Min(2, healthy));
            }

            Assert.Equal(final.ToCatalogue(), state.ToCatalogue());
        }
    }

    /// <summary>Which request goes wrong; safe for several ranks at once.</summary>
    private sealed class Faults(int seed, double share)
    {
        private readonly Random _random = new(seed);
        private readonly Lock _gate = new();

        public Fault Next(string verb, string name)
        {
            lock (_gate)
            {
                if (_random.NextDouble() >= share) return Fault.None;
                return verb == "range" ? (Fault)_random.Next(1, 3) : (Fault)_random.Next(1, 4);
            }
        }
    }
}
