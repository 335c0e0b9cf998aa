using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>The loop around the machine, over real HTTP.</summary>
public sealed class InformerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private const string Refusal = """{"kind":"Status","apiVersion":"v1","status":"Failure","message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled","reason":"Invalid","code":422}""";

    [Fact]
    public async Task A_streamed_state_is_followed_on_the_same_connection()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(Event("ADDED", "a", 3), Event("ADDED", "b", 5), End(7), Event("MODIFIED", "a", 8)), Hold());
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitUntilSeenAsync("8", Deadline());
            Assert.Equal(["a@8", "b@5"], Items(informer));
        });
        Assert.Contains("sendInitialEvents=true", server.Requests[0].PathAndQuery, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_streaming_is_listed_by_pages()
    {
        await using var server = await ApiServerStub.StartAsync(
            ApiServerStub.Json(422, Refusal), List(10, "more", "a@3"), List(10, null, "b@4"), ApiServerStub.Stream(Event("DELETED", "a", 12)), Hold());
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitForSyncAsync(Deadline());
            await informer.WaitUntilSeenAsync("12", Deadline());
            Assert.Equal(["b@4"], Items(informer));
            await server.WaitForRequestsAsync(4);
        });
        Assert.Equal(["list", "list", "watch 10"], server.Requests.Skip(1).Take(3).Select(Kind));
    }

    [Fact]
    public async Task A_cut_watch_is_resumed_without_reading_everything_again()
    {
        await using var server = await ApiServerStub.StartAsync(
            List(10, null, "a@3"),
            async context =>
            {
                await ApiServerStub.Stream(Event("MODIFIED", "a", 11), "{\"type\":\"MODI")(context);
                await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System);   // a reset also throws away what the other side has not read
                context.Abort();
            },
            List(12, "rest", "a@11"),   // is it still the same history?
            ApiServerStub.Stream(Event("MODIFIED", "a", 12)),
            Hold());
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitUntilSeenAsync("12", Deadline());
            await server.WaitForRequestsAsync(5);
        }, stream: false);

        Assert.Equal(["list", "watch 10", "list", "watch 11", "watch 12"], server.Requests.Take(5).Select(Kind));
        Assert.Contains("limit=1", server.Requests[2].PathAndQuery, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_410_what_vanished_meanwhile_is_reported_as_deleted()
    {
        await using var server = await ApiServerStub.StartAsync(
            List(10, null, "a@3", "b@4"),
            ApiServerStub.Stream("""{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410}}""" + "\n"),
            List(20, null, "b@4", "c@15"),
            Hold());
        var changes = new ConcurrentQueue<string>();
        IDisposable? subscription = null;
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitUntilSeenAsync("20", Deadline());
            Assert.Equal(["b@4", "c@15"], Items(informer));
        }, stream: false, before: informer => subscription = informer.Subscribe(c => changes.Enqueue($"{(c.Old is null ? "+" : c.New is null ? "-" : "~")}{c.Key.Name}")));
        subscription?.Dispose();
        Assert.Equal(["+a", "+b", "+c", "-a"], changes);
    }

    [Fact]
    public async Task A_server_that_came_back_empty_is_noticed()
    {
        await using var server = await ApiServerStub.StartAsync(
            List(5000, null, "a@4000"),
            context =>
            {
                context.Abort();
                return Task.CompletedTask;
            },
            List(50, null),
            List(50, null, "b@49"),
            Hold());
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitUntilAsync(s => s.ResourceVersion == "50", Deadline());
            Assert.Equal(["b@49"], Items(informer));
        }, stream: false);
    }

    [Fact]
    public async Task A_late_subscriber_is_told_what_is_there()
    {
        await using var server = await ApiServerStub.StartAsync(List(10, null, "a@3", "b@4"), Hold());
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitForSyncAsync(Deadline());
            var told = new List<string>();
            using var subscription = informer.Subscribe(c => told.Add(c.Key.Name));
            Assert.Equal(["a", "b"], told);
        }, stream: false);
    }

    [Fact]
    public async Task A_subscriber_that_throws_does_not_stop_the_others()
    {
        await using var server = await ApiServerStub.StartAsync(List(10, null, "a@3"), Hold());
        var told = new ConcurrentQueue<string>();
        await WithInformerAsync(server, async informer =>
        {
            using var bad = informer.Subscribe(_ => throw new InvalidOperationException("bad subscriber"));
            using var good = informer.Subscribe(c => told.Enqueue(c.Key.Name));
            await informer.WaitForSyncAsync(Deadline());
        }, stream: false);
        Assert.Equal(["a"], told);
    }

    [Fact]
    public async Task A_transformed_object_is_what_is_stored()
    {
        await using var server = await ApiServerStub.StartAsync(List(10, null, "a@3"), Hold());
        using var client = ResourceClientTests.Connect(server);
        using var informer = new Informer<V1ConfigMap>(client.Resource(Resources.ConfigMaps), new()
        {
            StreamInitialState = false,
            Transform = m => m with { Data = new Dictionary<string, string> { ["k"] = "cut" } },
        });
        using var stop = new CancellationTokenSource();
        var running = informer.RunAsync(stop.Token);
        await informer.WaitForSyncAsync(Deadline());
        Assert.Equal("cut", informer.Snapshot.Items.Single().Data!["k"]);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Waiting_for_a_deleted_object_ends_when_it_or_its_uid_is_gone()
    {
        await using var server = await ApiServerStub.StartAsync(List(10, null, "a@3"), async context =>
        {
            await ApiServerStub.Stream(Event("DELETED", "a", 11))(context);
            await Hold()(context);
        });
        await WithInformerAsync(server, async informer =>
        {
            await informer.WaitUntilGoneAsync(new("n", "a"), "uid-a", Deadline());
            Assert.Empty(Items(informer));
        }, stream: false);
    }

    private static async Task WithInformerAsync(ApiServerStub server, Func<Informer<V1ConfigMap>, Task> body, bool stream = true, Action<Informer<V1ConfigMap>>? before = null)
    {
        using var client = ResourceClientTests.Connect(server);
        using var informer = new Informer<V1ConfigMap>(client.Resource(Resources.ConfigMaps), new() { Namespace = "n", StreamInitialState = stream, Backoff = TimeSpan.FromMilliseconds(5) });
        using var stop = new CancellationTokenSource();
        before?.Invoke(informer);
        var running = informer.RunAsync(stop.Token);
        try
        {
            await body(informer);
        }
        finally
        {
            await stop.CancelAsync();
            await running;
        }
    }

    private static CancellationToken Deadline() => new CancellationTokenSource(Patience).Token;

    private static string[] Items(Informer<V1ConfigMap> informer) => [.. informer.Snapshot.Items.Select(m => $"{m.Metadata.Name}@{m.Metadata.ResourceVersion}")];

    private static string Kind(Seen request)
    {
        var query = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(request.PathAndQuery[request.PathAndQuery.IndexOf('?', StringComparison.Ordinal)..]);
        return query.ContainsKey("watch") ? $"watch {query["resourceVersion"]}" : "list";
    }

    private static string Object(string name, long version) => $$$"""{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"{{{name}}}","namespace":"n","uid":"uid-{{{name}}}","resourceVersion":"{{{version}}}"}}""";

    private static string Event(string type, string name, long version) => $"{{\"type\":\"{type}\",\"object\":{Object(name, version)}}}" + "\n";

    private static string End(long version) => $$$"""{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"{{{version}}}","annotations":{"k8s.io/initial-events-end":"true"}} }}""" + "\n";

    private static Func<HttpContext, Task> List(long version, string? more, params string[] items) => ApiServerStub.Json(200,
        $$"""{"kind":"ConfigMapList","metadata":{"resourceVersion":"{{version}}"{{(more is null ? "" : $",\"continue\":\"{more}\"")}}},"items":[{{string.Join(',', items.Select(i => Object(i.Split('@')[0], long.Parse(i.Split('@')[1], System.Globalization.CultureInfo.InvariantCulture))))}}]}""");

    /// <summary>A watch with nothing to tell, open until the client goes.</summary>
    private static Func<HttpContext, Task> Hold() => async context =>
    {
        await context.Response.Body.FlushAsync();
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
    };
}
