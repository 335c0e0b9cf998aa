using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class EventRecorderTests
{
    private static readonly V1ObjectReference Job = new() { ApiVersion = "example.com/v1", Kind = "Gadget", Namespace = "n", Name = "g", Uid = "u", ResourceVersion = "5" };

    [Fact]
    public async Task An_event_carries_what_the_API_asks_for()
    {
        await using var world = await World.StartAsync();
        world.Recorder.Publish(Job, EventType.Warning, "NodeLost", "Relaunch", "node n1 is gone");
        await world.StopAsync();

        var request = Assert.Single(world.Server.Requests);
        Assert.StartsWith("POST /apis/events.k8s.io/v1/namespaces/n/events?", $"{request.Method} {request.PathAndQuery}", StringComparison.Ordinal);
        var e = JsonSerializer.Deserialize(request.Body, KubernetesJson.Default.Eventsv1Event)!;
        Assert.Equal(("Warning", "NodeLost", "Relaunch", "node n1 is gone", "example.com/test", "pod-1"), (e.Type, e.Reason, e.Action, e.Note, e.ReportingController, e.ReportingInstance));
        Assert.Equal(("g", "u", null), (e.Regarding!.Name, e.Regarding.Uid, e.Regarding.ResourceVersion));
        Assert.NotNull(e.EventTime);
        Assert.Null(e.Series);
        Assert.StartsWith("g.", e.Metadata.Name, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Repetitions_become_one_event_with_a_count()
    {
        await using var world = await World.StartAsync();
        for (var i = 0; i < 10; i++) world.Recorder.Publish(Job with { ResourceVersion = $"{i}" }, EventType.Normal, "Started", "Launch", "epoch 1");
        await world.Server.WaitForRequestsAsync(2);
        await world.StopAsync();

        Assert.Equal(["POST", "PATCH", "PATCH"], world.Server.Requests.Select(r => r.Method));
        Assert.Equal([2, 10], world.Server.Requests.Skip(1).Select(r => (int?)JsonNode.Parse(r.Body)!["series"]!["count"]));
    }

    [Fact]
    public async Task A_note_is_cut_to_what_the_API_takes_without_breaking_a_character()
    {
        await using var world = await World.StartAsync();
        world.Recorder.Publish(Job, EventType.Normal, "R", "A", new string('\u00e9', 2000));
        await world.StopAsync();
        var note = JsonSerializer.Deserialize(world.Server.Requests[0].Body, KubernetesJson.Default.Eventsv1Event)!.Note!;
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(note), 1000, 1024);
        Assert.EndsWith("\u00e9...", note, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_event_stops_nothing()
    {
        await using var world = await World.StartAsync(ApiServerStub.Refuse(403, "Forbidden"), ApiServerStub.Json(201, "{}"));
        world.Recorder.Publish(Job, EventType.Normal, "First", "A", "x");
        world.Recorder.Publish(Job, EventType.Normal, "Second", "A", "x");
        await world.StopAsync();
        Assert.Equal(2, world.Server.Requests.Count);
    }

    [Fact]
    public async Task A_talkative_object_is_limited_and_the_others_are_not()
    {
        var clock = new VirtualTime();
        var correlator = new EventCorrelator(clock);
        var sent = Enumerable.Range(0, 100).Count(i => correlator.Observe(new(Job, EventType.Normal, "R", "A", $"{i}", null)) is EventDecision.Send);
        Assert.Equal(25, sent);
        Assert.IsType<EventDecision.Send>(correlator.Observe(new(Job with { Name = "quiet" }, EventType.Normal, "R", "A", "x", null)));

        await clock.AdvanceAsync(TimeSpan.FromMinutes(5), () => Task.CompletedTask);
        Assert.IsType<EventDecision.Send>(correlator.Observe(new(Job, EventType.Normal, "R", "A", "later", null)));
        Assert.IsType<EventDecision.Limited>(correlator.Observe(new(Job, EventType.Normal, "R", "A", "later still", null)));
    }

    [Fact]
    public async Task A_series_ends_after_six_quiet_minutes()
    {
        var clock = new VirtualTime();
        var correlator = new EventCorrelator(clock);
        var key = new EventKey(Job, EventType.Normal, "R", "A", "x", null);
        var first = Assert.IsType<EventDecision.Send>(correlator.Observe(key)).Record;
        correlator.Sent(first);
        Assert.Equal(2, Assert.IsType<EventDecision.Send>(correlator.Observe(key)).Record.Count);

        await clock.AdvanceAsync(TimeSpan.FromMinutes(7), () => Task.CompletedTask);
        correlator.Flush();

        var fresh = Assert.IsType<EventDecision.Send>(correlator.Observe(key)).Record;
        Assert.Equal(1, fresh.Count);
        Assert.NotEqual(first.Name, fresh.Name);
    }

    private sealed class World(ApiServerStub server, KubernetesClient client) : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private Task _running = Task.CompletedTask;

        public ApiServerStub Server => server;

        public EventRecorder Recorder { get; } = new(client.Resource(Resources.Events), "example.com/test", "pod-1");

        public static async Task<World> StartAsync(params Func<Microsoft.AspNetCore.Http.HttpContext, Task>[] answers)
        {
            var server = await ApiServerStub.StartAsync(answers.Length > 0 ? answers : [ApiServerStub.Json(201, "{}")]);
            var world = new World(server, ResourceClientTests.Connect(server));
            world._running = world.Recorder.RunAsync(world._stop.Token);
            return world;
        }

        /// <summary>Stopping sends everything that is still queued.</summary>
        public async Task StopAsync()
        {
            await _stop.CancelAsync();
            await _running;
        }

        public async ValueTask DisposeAsync()
        {
            client.Dispose();
            _stop.Dispose();
            await server.DisposeAsync();
        }
    }
}
