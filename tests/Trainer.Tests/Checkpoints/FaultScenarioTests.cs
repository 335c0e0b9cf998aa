using System.Globalization;
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
    private static readonly string? OneSeed = Environment.GetEnvironmentVariable("OPT_TEST_SEED");

    private static readonly RetryOptions Quick = new()
    {
        Attempts = 5, FirstDelay = TimeSpan.FromMilliseconds(2), LongestDelay = TimeSpan.FromMilliseconds(20), AttemptTimeout = TimeSpan.FromSeconds(3), StallTimeout = TimeSpan.FromMilliseconds(200),
    };

    private readonly int[] _commits = new int[2];

    [Fact]
    public async Task Every_seeded_life_of_a_directory_keeps_the_promises()
    {
        foreach (var seed in Seeds(1, Soak ? 600 : 10))
        {
            using var directory = new TestDirectory();
            var store = directory.Open();
            var random = new Random(seed);
            await LiveAsync(seed, store, () =>
            {
                var faults = new Faults(random.Next(), random.Next(4) * 0.04);
                return _ => new FaultyStore(store, faults.Next);
            });
        }

        Assert.True(OneSeed is not null || (_commits[0] > 20 && _commits[1] > 10), $"only {_commits[0]} saves were committed to the store and {_commits[1]} in memory: the test shows little");
    }

    [Fact]
    public async Task Every_seeded_life_of_a_blob_container_behind_a_faulty_network_keeps_the_promises()
    {
        var faults = 0;
        foreach (var seed in Seeds(1001, Soak ? 300 : 6))
        {
            var container = $"c{Guid.NewGuid():n}";
            var random = new Random(seed);
            var network = new Network(seed);
            await using var proxy = await FaultProxy.StartAsync(await azurite.EndpointAsync(), network.Next);
            await using var store = await azurite.OpenStoreAsync(container);
            await using var through = await azurite.OpenStoreAsync(container, Quick, proxy.Endpoint);
            await LiveAsync(seed, store, () =>
            {
                network.Share = random.Next(4) * 0.03;
                return _ => through;
            });
            faults += proxy.Faults;
        }

        Assert.True(faults > 50 || OneSeed is not null, $"only {faults} requests went wrong: the test shows little");
    }

    private static IEnumerable<int> Seeds(int first, int count) => OneSeed?.Split('-') is { } range
        ? Enumerable.Range(Number(range[0]), Number(range[^1]) - Number(range[0]) + 1)
        : Enumerable.Range(first, count);

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private async Task LiveAsync(int seed, ICheckpointStore store, Func<Func<int, ICheckpointStore>> faulty)
    {
        try
        {
            using var life = new StoreLife(seed, store, faulty);
            await life.RunAsync();
            for (var kind = 0; kind < _commits.Length; kind++) _commits[kind] += life.Commits[kind];
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException($"seed {seed}: {e.Message}", e);
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
                return verb == "range" ? (Fault)_random.Next(1, 3) : (Fault)_random.Next(1, 5);
            }
        }
    }

    /// <summary>The same over HTTP.</summary>
    private sealed class Network(int seed)
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
                return fault is HttpFault.Corrupted or HttpFault.CorruptedBeforeHash && target.Contains("comp=list", StringComparison.Ordinal) ? HttpFault.Truncated : fault;
            }
        }
    }
}
