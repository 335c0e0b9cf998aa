using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>How many events the server hands out to many watches at once, and how old each is when it arrives.</summary>
internal static class FanOut
{
    private const string Sent = "bench.example/sent";

    /// <param name="watchers">Watches of one resource, over the connections of one client.</param>
    /// <param name="rate">Writes a second; 0 for as many as go.</param>
    public static async Task MeasureAsync(KubernetesClient client, int watchers, int writes, int rate)
    {
        var maps = client.Resource(Resources.ConfigMaps);
        await maps.ApplyAsync(new() { Metadata = new() { Name = "fan", Namespace = "default" } }, force: true, default);
        var from = (await maps.ListAsync("default", null, default)).Metadata.ResourceVersion!;
        var ages = new ConcurrentBag<double>();
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var start = Figures.Now();
        var watching = Enumerable.Range(0, watchers).Select(_ => Task.Run(() => FollowAsync(maps, from, writes, ages, stop.Token))).ToArray();
        for (var i = 0; i < writes; i++)
        {
            if (rate > 0 && Figures.Since(start) < (double)i / rate) await Task.Delay(TimeSpan.FromSeconds((double)i / rate - Figures.Since(start)), TimeProvider.System);
            var now = Figures.Now().ToString(CultureInfo.InvariantCulture);
            await maps.PatchAsync(new("default", "fan"), Patch.Merge(new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [Sent] = now } } }), default);
        }

        await Task.WhenAll(watching);
        var name = $"{watchers} watches, {(rate > 0 ? $"{rate} writes/s" : "writes as fast as they go")}";
        Figures.Print($"{name}: delivered", "events/s", (double)watchers * writes / Figures.Since(start));
        Figures.Print($"{name}: age of an event, half below", "ms", Figures.Percentile(ages, 0.5));
        Figures.Print($"{name}: age of an event, 99 in 100 below", "ms", Figures.Percentile(ages, 0.99));
    }

    private static async Task FollowAsync(ResourceClient<V1ConfigMap> maps, string from, int writes, ConcurrentBag<double> ages, CancellationToken ct)
    {
        var seen = 0;
        await foreach (var e in maps.WatchAsync("default", new() { ResourceVersion = from, FieldSelector = "metadata.name=fan" }, ct))
        {
            if (e.Object?.Metadata.Annotations?.GetValueOrDefault(Sent) is not { } sent) continue;
            ages.Add(Figures.Since(long.Parse(sent, CultureInfo.InvariantCulture)) * 1000);
            if (++seen == writes) return;
        }

        throw new InvalidOperationException($"the watch ended after {seen} of {writes} events");
    }
}
