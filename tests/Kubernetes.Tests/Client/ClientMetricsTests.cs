using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>What an operator's dashboard sees of its requests.</summary>
public sealed class ClientMetricsTests
{
    private const string Pod = """{"kind":"Pod","metadata":{"name":"a","resourceVersion":"3"}}""";

    [Fact]
    public async Task Attempts_are_told_apart_by_verb_resource_and_code_and_retries_by_what_caused_them()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(503, "ServiceUnavailable"), ApiServerStub.Json(200, Pod), ApiServerStub.Refuse(409, "Conflict"), ApiServerStub.Json(200, Pod));
        using var seen = new Recorder();
        using var client = Connect(server, seen);
        var pods = client.Resource(Resources.Pods);

        await pods.GetAsync(new("n", "a"), default);
        await Assert.ThrowsAsync<KubernetesException>(() => pods.ReplaceStatusAsync(new() { Metadata = new() { Name = "a", Namespace = "n", ResourceVersion = "1" } }, default));
        await pods.ApplyAsync(new() { Metadata = new() { Name = "a", Namespace = "n" } }, force: true, default);

        Assert.Equal(["get pods 503", "get pods 200", "update pods/status 409", "apply pods 200"], seen.Of("opt.kubernetes.client.request.duration"));
        Assert.Equal(["get pods 503"], seen.Of("opt.kubernetes.client.retries"));
        Assert.Equal(0, seen.InFlight());
    }

    [Fact]
    public async Task A_request_without_an_answer_counts_as_one()
    {
        await using var server = await ApiServerStub.StartAsync(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        using var seen = new Recorder();
        using var client = Connect(server, seen, attempts: 1);
        await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).ListAsync("n", null, default));
        Assert.Equal(["list pods none"], seen.Of("opt.kubernetes.client.request.duration"));
        Assert.Equal(0, seen.InFlight());
    }

    [Fact]
    public async Task A_watch_that_is_opened_again_says_why()
    {
        const string gone = """{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410}}""";
        await using var server = await ApiServerStub.StartAsync(
            ApiServerStub.Refuse(422, "Invalid"), List(10), ApiServerStub.Stream("""{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"11"}}}""" + "\n"), ApiServerStub.Stream(gone + "\n"), List(20),
            context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted));
        using var seen = new Recorder();
        using var client = Connect(server, seen);
        using var informer = new Informer<V1Pod>(client.Resource(Resources.Pods), new() { Backoff = TimeSpan.FromMilliseconds(1) });
        using var stop = new CancellationTokenSource();
        var running = informer.RunAsync(stop.Token);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await informer.WaitUntilSeenAsync("20", patience.Token);
        await stop.CancelAsync();
        await running;

        Assert.Equal(["pods refused", "pods ended", "pods gone"], seen.Of("opt.kubernetes.client.watch.restarts"));
    }

    private static Func<Microsoft.AspNetCore.Http.HttpContext, Task> List(int version) =>
        ApiServerStub.Json(200, $$"""{"kind":"PodList","metadata":{"resourceVersion":"{{version}}"},"items":[]}""");

    private static KubernetesClient Connect(ApiServerStub server, Recorder seen, int attempts = 3) =>
        new(new KubernetesClientConfiguration { Host = server.Host }, new() { RetryDelay = TimeSpan.FromMilliseconds(1), MaxAttempts = attempts }, metrics: seen.Metrics);

    /// <summary>Notes each measurement as the values of its labels.</summary>
    private sealed class Recorder : IMeterFactory
    {
        private readonly Meter _meter = new(ControllerMetrics.MeterName);
        private readonly MeterListener _listener = new();
        private readonly ConcurrentQueue<(string Name, string Labels)> _seen = new();
        private long _inFlight = -1;

        public Recorder()
        {
            Metrics = new(this);
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (ReferenceEquals(instrument.Meter, _meter)) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<double>((instrument, _, labels, _) => Note(instrument, labels));
            _listener.SetMeasurementEventCallback<long>((instrument, value, labels, _) =>
            {
                if (instrument.IsObservable) _inFlight = value;
                else Note(instrument, labels);
            });
            _listener.Start();
        }

        public ClientMetrics Metrics { get; }

        public Meter Create(MeterOptions options) => _meter;

        public IEnumerable<string> Of(string name) => _seen.Where(s => s.Name == name).Select(s => s.Labels);

        public long InFlight()
        {
            _listener.RecordObservableInstruments();
            return _inFlight;
        }

        public void Dispose()
        {
            _listener.Dispose();
            _meter.Dispose();
        }

        private void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> labels)
        {
            var values = new List<string>();
            foreach (var (_, value) in labels) values.Add($"{value}");
            _seen.Enqueue((instrument.Name, string.Join(' ', values)));
        }
    }
}
