using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>
/// Seeded lives of a store (<see cref="StoreLife"/>): a thousand with OPT_SOAK=1, those with killed and stopped processes included
/// (<see cref="ProcessScenarioTests"/>). A failing seed is printed and replays alone with OPT_TEST_SEED=SEED (or FIRST-LAST).
/// </summary>
public sealed class FaultScenarioTests(Azurite azurite)
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("OPT_SOAK") == "1";

    private static readonly RetryOptions Quick = new()
    {
        Attempts = 5, FirstDelay = TimeSpan.FromMilliseconds(2), LongestDelay = TimeSpan.FromMilliseconds(20), AttemptTimeout = TimeSpan.FromSeconds(3), StallTimeout = TimeSpan.FromMilliseconds(200),
    };

    private static readonly HttpFault[][] s_kinds =
    [
        [HttpFault.CutBefore, HttpFault.CutAfter, HttpFault.ErrorAfter],
        [HttpFault.Forbidden, HttpFault.Conflict, HttpFault.PreconditionFailed, HttpFault.TooManyRequests, HttpFault.ServerError, HttpFault.Unavailable],
        [HttpFault.Slow, HttpFault.Stalled],
        [HttpFault.Truncated, HttpFault.TruncatedCleanly],
        [HttpFault.Corrupted, HttpFault.CorruptedBeforeHash, HttpFault.CorruptedUpload],
    ];

    private readonly Tally _tally = new();

    [Fact]
    public async Task Every_seeded_life_of_a_directory_keeps_the_promises()
    {
        foreach (var seed in Seeds.Of(1, Soak ? 600 : 10))
        {
            using var directory = new TestDirectory();
            var store = directory.Open();
            var random = new Random(seed);
            await LiveAsync(seed, store, () =>
            {
                var faults = new Faults(random.Next(), random.Next(4) * 0.04, _tally);
                return _ => new FaultyStore(store, faults.Next);
            });
        }

        _tally.Require([.. StoreLife.Events(Soak), "LostRequest", "LostAnswer", "Full", "ReadOnly", "Full for long", "ReadOnly for long"]);
        Assert.True(Seeds.AreChosen || (_tally.Of("committed to Store") > 20 && _tally.Of("committed to Memory") > 10), $"too few saves were committed, the test shows little: {_tally}");
    }

    [Fact]
    public async Task Every_seeded_life_of_a_blob_container_behind_a_faulty_network_keeps_the_promises()
    {
        foreach (var seed in Seeds.Of(1001, Soak ? 300 : 6))
        {
            var container = $"c{Guid.NewGuid():n}";
            var random = new Random(seed);
            var network = new Network(seed, _tally);
            await using var proxy = await FaultProxy.StartAsync(await azurite.EndpointAsync(), network.Next);
            await using var store = await azurite.OpenStoreAsync(container);
            await using var through = await azurite.OpenStoreAsync(container, Quick, proxy.Endpoint);
            await LiveAsync(seed, store, () =>
            {
                network.Share = random.Next(4) * 0.03;
                return _ => through;
            });
        }

        // Which request gets which fault is a matter of timing; a sample has some of each sort, the full set has every one.
        _tally.Require([.. StoreLife.Events(Soak), .. s_kinds.SelectMany((sort, i) => sort.Select(fault => Soak ? $"{fault}" : $"HTTP fault of sort {i}")).Distinct()]);
    }

    private async Task LiveAsync(int seed, ICheckpointStore store, Func<Func<int, ICheckpointStore>> faulty)
    {
        try
        {
            using var life = new StoreLife(seed, store, faulty, _tally);
            await life.RunAsync();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
        }
    }

    /// <summary>Which request goes wrong; safe for several ranks at once. A disk that fills up or turns read-only may stay so for many requests.</summary>
    private sealed class Faults(int seed, double share, Tally tally)
    {
        private readonly Random _random = new(seed);
        private readonly Lock _gate = new();
        private Fault _lasting;
        private int _left;

        public Fault Next(string verb, string name)
        {
            lock (_gate)
            {
                var writes = verb is "write" or "create" || (verb == "delete" && _lasting == Fault.ReadOnly);
                if (_left > 0 && writes) return Said(_lasting, --_left);
                if (_random.NextDouble() >= share) return Fault.None;
                var fault = verb is "range" or "read" ? (Fault)_random.Next(1, 3) : (Fault)_random.Next(1, 5);
                if (fault is Fault.Full or Fault.ReadOnly && _random.Next(3) == 0) (_lasting, _left) = (fault, _random.Next(5, 40));
                return Said(fault, 0);
            }
        }

        private Fault Said(Fault fault, int left)
        {
            tally.Count(left > 0 ? $"{fault} for long" : $"{fault}");
            return fault;
        }
    }

    /// <summary>The same over HTTP.</summary>
    private sealed class Network(int seed, Tally tally)
    {
        private static readonly HttpFault[] All = Enum.GetValues<HttpFault>();
        private readonly Random _random = new(seed);
        private readonly Lock _gate = new();

        public double Share { get; set; }

        public HttpFault Next(string method, string target)
        {
            lock (_gate)
            {
                if (_random.NextDouble() >= Share) return HttpFault.None;
                var fault = All[_random.Next(1, All.Length)];
                // A listing has no checksum: TLS alone protects it.
                if (fault is HttpFault.Corrupted or HttpFault.CorruptedBeforeHash && target.Contains("comp=list", StringComparison.Ordinal)) fault = HttpFault.Truncated;
                tally.Count($"{fault}");
                tally.Count($"HTTP fault of sort {Array.FindIndex(s_kinds, sort => sort.Contains(fault))}");
                return fault;
            }
        }
    }
}
