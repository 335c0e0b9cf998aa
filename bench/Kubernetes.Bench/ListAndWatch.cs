using System.Text.Json.Nodes;
using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>Many pods over HTTPS, beside curl: in every round each way of reading them takes its turn, so that a busy machine slows all alike.</summary>
internal static class ListAndWatch
{
    private const int Rounds = 7;

    public static async Task MeasureAsync(KubernetesClientConfiguration configuration, ResourceClient<V1Pod> resource, int pods)
    {
        using var curl = new Curl(configuration);
        var memory = await MemoryAsync(resource);   // first of all: something of the last informer always lingers until the next
        await SyncAsync(resource, pods, stream: true);   // the first of each compiles
        await ListAsync(resource, pods, 0);
        var (lists, pages, streamed, paged, curls) = (new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
        for (var i = 0; i < Rounds; i++)
        {
            curls.Add(await curl.GetAsync("/api/v1/namespaces/default/pods"));
            streamed.Add(await SyncAsync(resource, pods, stream: true));
            lists.Add(await ListAsync(resource, pods, 0));
            paged.Add(await SyncAsync(resource, pods, stream: false));
            pages.Add(await ListAsync(resource, pods, 500));
        }

        Figures.Print($"list of {pods} pods by curl", "s", curls);
        Figures.Print($"list of {pods} pods", "MiB", curl.Bytes / 1048576);
        Print($"list of {pods} pods at once, decoded", lists, curls);
        Print($"list of {pods} pods by 500, decoded", pages, curls);
        Print($"informer of {pods} pods ready, streamed", streamed, curls);
        Print($"informer of {pods} pods ready, by pages", paged, curls);
        Figures.Print($"memory of an informer of {pods} pods without managedFields", "MiB", memory);
    }

    private static void Print(string name, List<double> times, List<double> curls)
    {
        Figures.Print(name, "s", times);
        Figures.Print($"{name}: ratio to curl", "", [.. times.Zip(curls, (ours, curl) => ours / curl)]);
    }

    private static async Task<double> ListAsync(ResourceClient<V1Pod> resource, int pods, int pageSize)
    {
        var start = Figures.Now();
        var list = await resource.ListAsync("default", new() { PageSize = pageSize }, default);
        var seconds = Figures.Since(start);
        return list.Items.Count == pods ? seconds : throw new InvalidOperationException($"{list.Items.Count} pods");
    }

    /// <summary>From nothing to a complete copy that is being watched.</summary>
    private static async Task<double> SyncAsync(ResourceClient<V1Pod> resource, int pods, bool stream)
    {
        using var informer = Informer(resource, stream);
        using var stop = new CancellationTokenSource();
        var start = Figures.Now();
        var running = informer.RunAsync(stop.Token);
        await informer.WaitForSyncAsync(stop.Token);
        var seconds = Figures.Since(start);
        if (informer.Snapshot.Count != pods) throw new InvalidOperationException($"{informer.Snapshot.Count} pods");
        await stop.CancelAsync();
        await running;
        return seconds;
    }

    private static async Task<double> MemoryAsync(ResourceClient<V1Pod> resource)
    {
        var before = Figures.HeapMiB();
        using var informer = Informer(resource, stream: true);
        using var stop = new CancellationTokenSource();
        var running = informer.RunAsync(stop.Token);
        await informer.WaitForSyncAsync(stop.Token);
        var after = Figures.HeapMiB();
        await stop.CancelAsync();
        await running;
        GC.KeepAlive(informer);
        return after - before;
    }

    private static Informer<V1Pod> Informer(ResourceClient<V1Pod> resource, bool stream) =>
        new(resource, new() { Namespace = "default", StreamInitialState = stream, Transform = p => p with { Metadata = p.Metadata with { ManagedFields = null } } });

    /// <summary>From a write to the informer having seen it: what a reconciler waits after each of its writes.</summary>
    public static async Task MeasureWritesAsync(ResourceClient<V1Pod> resource, int pods)
    {
        using var informer = new Informer<V1Pod>(resource, new() { Namespace = "default" });
        using var stop = new CancellationTokenSource();
        var running = informer.RunAsync(stop.Token);
        await informer.WaitForSyncAsync(stop.Token);
        var (writes, seen) = (new List<double>(), new List<double>());
        for (var i = 0; i < 300; i++)
        {
            var start = Figures.Now();
            var patch = Patch.Merge(new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["turn"] = $"{i}" } } });
            var written = await resource.PatchAsync(new("default", $"opt-175b-{i % pods}"), patch, default);
            writes.Add(Figures.Since(start) * 1000);
            await informer.WaitUntilSeenAsync(written, stop.Token);
            seen.Add(Figures.Since(start) * 1000);
        }

        Figures.Print("one patch", "ms", writes);
        Figures.Print("one patch until the informer has seen it", "ms", seen);
        await stop.CancelAsync();
        await running;
    }
}
