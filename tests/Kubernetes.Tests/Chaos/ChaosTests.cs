using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.LocalCluster.ApiServer;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>
/// The whole runtime over real HTTP against the embedded API server, through a proxy that spoils what passes. While faults rain, no key may be
/// reconciled twice at once; when they end, every informer must show exactly what the server has.
/// </summary>
public sealed class ChaosTests
{
    private const string Namespace = "default";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Whatever_the_network_does_informers_end_up_with_the_servers_state_and_no_key_runs_twice_at_once()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("OPT_SEED"), out var given) ? given : Random.Shared.Next();
        var (rounds, faults) = Soak.Full ? (20, 500) : (1, 300);
        for (var round = 0; round < rounds; round++)
        {
            try
            {
                await RunAsync(seed + round, faults);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"With OPT_SEED={seed + round}: {e.Message}", e);
            }
        }
    }

    private static async Task RunAsync(int seed, int faults)
    {
        // Little history, so that the server itself forgets versions too.
        await using var cluster = await Cluster.StartAsync(serverOptions: new ApiServerOptions { Store = new() { HistoryBytesPerResource = 16 << 10 } });
        await using var proxy = await FaultProxy.StartAsync(cluster.Configuration(), seed);
        using var direct = cluster.Connect();
        using var spoiled = new KubernetesClient(new KubernetesClientConfiguration { Host = proxy.Address }, Hasty(seed));
        using var world = new World(spoiled);
        using var stop = new CancellationTokenSource();
        var running = world.RunAsync(stop.Token);

        proxy.Rate = 0.25;
        var random = new Random(seed);
        var written = 0;
        for (; proxy.InjectedCount < faults; written++) await WriteSomethingAsync(direct, random);
        proxy.Rate = 0;
        await world.AssertQuietAsync(direct);
        await stop.CancelAsync();
        await running;

        Assert.Equal(1, world.MostAtOnce);
        if (faults >= 500) Assert.All([Fault.Late, Fault.WatchLag, Fault.WatchStall, Fault.WatchGone, Fault.Refuse429], fault => Assert.True(proxy.Injected.ContainsKey(fault), $"{fault} never happened"));
        Assert.True(world.Reconciled > 0 && written > 0);
    }

    private static async Task WriteSomethingAsync(KubernetesClient direct, Random random)
    {
        var maps = direct.Resource(Resources.ConfigMaps);
        var key = new ObjectKey(Namespace, $"m{random.Next(12)}");
        if (await maps.FindAsync(key, default) is not { } existing) await maps.CreateAsync(new() { Metadata = new() { Name = key.Name, Namespace = Namespace } }, default);
        else if (random.Next(4) == 0) await maps.DeleteAsync(key, new() { Preconditions = new() { Uid = existing.Metadata.Uid } }, default);
        else await maps.PatchAsync(key, Patch.Merge(new JsonObject { ["data"] = new JsonObject { ["k"] = $"{random.Next()}" } }), default);
        if (random.Next(3) == 0) await Task.Delay(TimeSpan.FromMilliseconds(random.Next(15)), TimeProvider.System);
    }

    private static KubernetesClientOptions Hasty(int seed)
    {
        var random = new Random(seed);
        return new()
        {
            FieldManager = "chaos",
            QueriesPerSecond = 2000,
            Burst = 2000,
            RetryDelay = TimeSpan.FromMilliseconds(5),
            AttemptTimeout = TimeSpan.FromSeconds(5),
            WatchIdleTimeout = TimeSpan.FromMilliseconds(250),
            Random = () =>
            {
                lock (random) return random.NextDouble();
            },
        };
    }

    private sealed class World : IDisposable, IEntityController<V1ConfigMap>
    {
        private readonly KubernetesClient _client;
        private readonly Informer<V1ConfigMap>[] _informers;
        private readonly ConcurrentDictionary<ObjectKey, V1ConfigMap>[] _mirrors;
        private readonly ConcurrentDictionary<ObjectKey, int> _now = new();
        private readonly Controller<V1ConfigMap> _controller;

        public World(KubernetesClient client)
        {
            _client = client;
            var resource = client.Resource(Resources.ConfigMaps);
            var hasty = new InformerOptions<V1ConfigMap> { Namespace = Namespace, Backoff = TimeSpan.FromMilliseconds(5), BackoffCap = TimeSpan.FromMilliseconds(100) };
            _informers =
            [
                new(resource, hasty),
                new(resource, hasty with { StreamInitialState = false, PageSize = 3 }),
                new(resource, hasty with { StreamInitialState = false, PageSize = 1 }),
                new(resource, hasty with { LabelSelector = "half=yes" }),
            ];
            _mirrors = [.. _informers.Select(Mirror)];
            _controller = new(_informers[0], this, new() { Name = "chaos", Workers = 4, AttemptTimeout = TimeSpan.FromSeconds(20), Queue = new() { RetriesPerSecond = 1000 } }, TimeProvider.System, NullLogger<Controller<V1ConfigMap>>.Instance);
        }

        public int MostAtOnce { get; private set; }

        public int Reconciled { get; private set; }

        public Task RunAsync(CancellationToken ct) => Task.WhenAll([.. _informers.Select(i => i.RunAsync(ct)), _controller.RunAsync(ct)]);

        /// <summary>Writes through the faults, then waits for its own write, as every reconciler here must.</summary>
        public async Task<Requeue> ReconcileAsync(V1ConfigMap entity, CancellationToken ct)
        {
            var key = ObjectKey.Of(entity.Metadata);
            MostAtOnce = Math.Max(MostAtOnce, _now.AddOrUpdate(key, 1, (_, n) => n + 1));
            try
            {
                Reconciled++;
                var half = (entity.Data?.GetValueOrDefault("k")?.Length ?? 0) % 2 == 0 ? "yes" : "no";
                if (entity.Metadata.Labels?.GetValueOrDefault("half") == half) return Requeue.WhenChanged;
                var written = await _client.Resource(Resources.ConfigMaps).PatchAsync(key, Patch.Merge(new JsonObject
                {
                    ["metadata"] = new JsonObject { ["uid"] = entity.Metadata.Uid, ["labels"] = new JsonObject { ["half"] = half } },
                }), ct);
                await _informers[0].WaitUntilSeenAsync(written, ct);
                return Requeue.WhenChanged;
            }
            finally
            {
                _now.AddOrUpdate(key, 0, (_, n) => n - 1);
            }
        }

        /// <summary>Quiet: three looks in a row at a server that does not move any more find it in every informer.</summary>
        public async Task AssertQuietAsync(KubernetesClient direct)
        {
            var started = TimeProvider.System.GetTimestamp();
            for (var calm = 0; calm < 3;)
            {
                var truth = await direct.Resource(Resources.ConfigMaps).ListAsync(Namespace, null, default);
                var isCalm = _controller.Queue.Count == 0 && _controller.Queue.Running == 0 && _informers.All(i => Describe(Expected(i, truth)).SequenceEqual(Describe(i.Snapshot.Items)));
                calm = isCalm ? calm + 1 : 0;
                if (!isCalm && TimeProvider.System.GetElapsedTime(started) > Patience)
                {
                    foreach (var informer in _informers) Assert.Equal(Describe(Expected(informer, truth)), Describe(informer.Snapshot.Items));
                    Assert.Fail($"The queue never rests: {_controller.Queue.Count} waiting, {_controller.Queue.Running} running.");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }

            foreach (var (informer, mirror) in _informers.Zip(_mirrors)) Assert.Equal(Describe(informer.Snapshot.Items), Describe(mirror.Values));
        }

        private IEnumerable<V1ConfigMap> Expected(Informer<V1ConfigMap> informer, KubernetesList<V1ConfigMap> truth) =>
            informer == _informers[^1] ? truth.Items.Where(m => m.Metadata.Labels?.GetValueOrDefault("half") == "yes") : truth.Items;

        public void Dispose()
        {
            _controller.Dispose();
            foreach (var informer in _informers) informer.Dispose();
        }

        private static ConcurrentDictionary<ObjectKey, V1ConfigMap> Mirror(Informer<V1ConfigMap> informer)
        {
            var mirror = new ConcurrentDictionary<ObjectKey, V1ConfigMap>();
            informer.Subscribe(change =>
            {
                if (change.New is not null) mirror[change.Key] = change.New;
                else mirror.TryRemove(change.Key, out _);
            });
            return mirror;
        }

        private static string[] Describe(IEnumerable<V1ConfigMap> maps) =>
            [.. maps.Select(m => $"{m.Metadata.Name}@{m.Metadata.ResourceVersion}#{m.Metadata.Uid}").Order(StringComparer.Ordinal)];
    }
}
