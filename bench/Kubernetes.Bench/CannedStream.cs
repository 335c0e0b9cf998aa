using System.Buffers;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Kubernetes;

namespace Opt.Bench.Kubernetes;

/// <summary>The cost of the client alone: its bytes come from memory.</summary>
internal static class CannedStream
{
    public static async Task MeasureAsync(int pods, int events)
    {
        var bytes = Record(pods, events, out var lastVersion);
        Figures.Print("bytes of one watch event of a pod", "bytes", (double)bytes.Length / (pods + events));
        var (informer, controller) = (new List<double>(), new List<double>());
        var cpu = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < 5; i++)
        {
            informer.Add(events / await RunAsync(bytes, lastVersion, pods, withController: false));
            controller.Add(events / await RunAsync(bytes, lastVersion, pods, withController: true));
        }

        Figures.Print("processor time of one watch event, all included", "us", (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / (10.0 * (pods + events)));
        Figures.Print("watch events through an informer with three indexes", "events/s", [.. informer]);
        Figures.Print("watch events through informer, queue and reconcile", "events/s", [.. controller]);
    }

    private static byte[] Record(int pods, int events, out string lastVersion)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var version = 1000L;
        for (var i = 0; i < pods; i++) Line(buffer, "ADDED", Pods.Make(i, ++version));
        buffer.Write(System.Text.Encoding.UTF8.GetBytes($"{{\"type\":\"BOOKMARK\",\"object\":{{\"metadata\":{{\"resourceVersion\":\"{version}\",\"annotations\":{{\"k8s.io/initial-events-end\":\"true\"}}}}}}}}\n"));
        for (var i = 0; i < events; i++) Line(buffer, "MODIFIED", Pods.Make(i * 7919 % pods, ++version));
        lastVersion = $"{version}";
        return buffer.WrittenSpan.ToArray();
    }

    private static void Line(ArrayBufferWriter<byte> buffer, string type, V1Pod pod)
    {
        buffer.Write(System.Text.Encoding.UTF8.GetBytes($"{{\"type\":\"{type}\",\"object\":"));
        using (var writer = new Utf8JsonWriter(buffer)) JsonSerializer.Serialize(writer, pod, KubernetesJson.Default.V1Pod);
        buffer.Write("}\n"u8);
    }

    /// <summary>Seconds for the whole stream, the initial state included.</summary>
    private static async Task<double> RunAsync(byte[] bytes, string lastVersion, int pods, bool withController)
    {
        using var client = new KubernetesClient(new Uri("http://memory"), new Canned(bytes));
        using var informer = new Informer<V1Pod>(client.Resource(Resources.Pods), new()
        {
            Indexes = new Dictionary<string, Func<V1Pod, IEnumerable<string>>>([Indexes.ByOwner(Resources.Pods), Indexes.ByNode()]),
        });
        var counter = new Counter();
        using var controller = new Controller<V1Pod>(informer, counter, new() { Name = "bench" }, TimeProvider.System, NullLogger<Controller<V1Pod>>.Instance);
        using var stop = new CancellationTokenSource();
        var start = Figures.Now();
        var running = Task.WhenAll(informer.RunAsync(stop.Token), withController ? controller.RunAsync(stop.Token) : Task.CompletedTask);
        await informer.WaitUntilSeenAsync(lastVersion, stop.Token);
        if (withController) await controller.Queue.IdleAsync(stop.Token);
        var seconds = Figures.Since(start);
        await stop.CancelAsync();
        await running;
        if (informer.Snapshot.Count != pods || (withController && counter.Calls < pods)) throw new InvalidOperationException($"{informer.Snapshot.Count} pods, {counter.Calls} calls");
        return seconds;
    }

    private sealed class Counter : IEntityController<V1Pod>
    {
        private int _calls;

        public int Calls => _calls;

        public Task<Requeue> ReconcileAsync(V1Pod entity, CancellationToken ct)
        {
            Interlocked.Increment(ref _calls);
            return Task.FromResult(Requeue.WhenChanged);
        }
    }

    /// <summary>Answers the first request with the stream, and says nothing more.</summary>
    private sealed class Canned(byte[] bytes) : HttpMessageHandler
    {
        private int _requests;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Yield();
            if (_requests++ > 0) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return new(HttpStatusCode.OK) { Content = new StreamContent(new MemoryStream(bytes, writable: false)) };
        }
    }
}
