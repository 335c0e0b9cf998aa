using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class WatchTests
{
    private const string Added = """{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","resourceVersion":"5"}}}""";
    private const string Bookmark = """{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"9","creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}}}}""";
    private const string Expired = """{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (5)","reason":"Expired","code":410}}""";

    [Fact]
    public async Task A_watch_asks_for_bookmarks_a_version_and_a_time_limit()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(Added + "\n"));
        await ReadAsync(server, new() { ResourceVersion = "4", LabelSelector = "a=b", Timeout = TimeSpan.FromMinutes(5) });
        Assert.Equal("/api/v1/namespaces/n/configmaps?watch=true&labelSelector=a%3Db&resourceVersion=4&allowWatchBookmarks=true&timeoutSeconds=300", server.Requests[0].PathAndQuery);
    }

    [Fact]
    public async Task A_streamed_list_asks_for_what_the_API_demands()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(Bookmark + "\n"));
        var events = await ReadAsync(server, new() { SendInitialEvents = true, Timeout = TimeSpan.FromMinutes(5) });
        Assert.Equal("/api/v1/namespaces/n/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=300", server.Requests[0].PathAndQuery);
        Assert.Equal(new WatchEvent<V1ConfigMap>(WatchEventType.Bookmark, null, "9", EndsInitialEvents: true), Assert.Single(events));
    }

    [Fact]
    public async Task Lines_that_arrive_in_pieces_are_put_together_and_a_half_last_line_is_dropped()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(Added[..20], Added[20..] + "\n" + Bookmark[..7], Bookmark[7..], "\n\r\n", Added[..30]));
        var events = await ReadAsync(server, new());
        Assert.Equal(["Added", "Bookmark"], events.Select(e => e.Type.ToString()));
    }

    [Fact]
    public async Task An_error_in_the_stream_is_an_exception_with_the_servers_code()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(Added + "\n", Expired + "\n"));
        var gone = await Assert.ThrowsAsync<KubernetesException>(() => ReadAsync(server, new()));
        Assert.True(gone.IsGone);
        Assert.Equal("Expired", gone.Reason);
    }

    [Fact]
    public async Task A_refused_watch_is_an_exception()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(410, "Expired"));
        Assert.True((await Assert.ThrowsAsync<KubernetesException>(() => ReadAsync(server, new()))).IsGone);
    }

    [Fact]
    public async Task A_connection_that_is_cut_is_no_answer()
    {
        await using var server = await ApiServerStub.StartAsync(async context =>
        {
            await ApiServerStub.Stream(Added + "\n")(context);
            context.Abort();
        });
        Assert.Equal(KubernetesException.NoAnswer, (await Assert.ThrowsAsync<KubernetesException>(() => ReadAsync(server, new()))).Reason);
    }

    [Fact]
    public async Task A_connection_that_says_nothing_for_too_long_is_given_up()
    {
        using var stop = new CancellationTokenSource();
        await using var server = await ApiServerStub.StartAsync(async context =>
        {
            await ApiServerStub.Stream(Added + "\n")(context);
            await Task.Delay(TimeSpan.FromMinutes(1), TimeProvider.System, stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        try
        {
            var stalled = await Assert.ThrowsAsync<KubernetesException>(() => ReadAsync(server, new()));
            Assert.IsType<TimeoutException>(stalled.InnerException);
        }
        finally
        {
            await stop.CancelAsync();
        }
    }

    [Fact]
    public async Task A_slow_consumer_is_not_taken_for_a_silent_server()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(Added + "\n", Bookmark + "\n"));
        using var client = Connect(server);
        var events = 0;
        await foreach (var _ in client.Resource(Resources.ConfigMaps).WatchAsync("n", new(), default))
        {
            events++;
            await Task.Delay(TimeSpan.FromMilliseconds(600), TimeProvider.System, default);   // longer than the idle time-out
        }

        Assert.Equal(2, events);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"type":"ADDED"}""")]
    [InlineData("""{"type":"ADDED","object":{"metadata":{"name":"a"}}}""")]
    [InlineData("""{"type":"NEW","object":{"metadata":{"name":"a","resourceVersion":"1"}}}""")]
    [InlineData("""{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}} trailing""")]
    public async Task A_line_that_is_no_event_is_no_answer(string line)
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream(line + "\n"));
        Assert.Equal(KubernetesException.NoAnswer, (await Assert.ThrowsAsync<KubernetesException>(() => ReadAsync(server, new()))).Reason);
    }

    [Fact]
    public void Type_and_object_may_come_in_any_order_among_other_fields()
    {
        var line = """{"x":[{"type":"DELETED"}],"object":{"metadata":{"name":"a","resourceVersion":"3"}},"type":"MODIFIED"}"""u8;
        var e = WatchFrame.Parse(line, Resources.ConfigMaps);
        Assert.Equal((WatchEventType.Modified, "a", "3"), (e.Type, e.Object!.Metadata.Name, e.ResourceVersion));
    }

    [Fact]
    public void A_damaged_line_is_refused_and_never_crashes() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
        {
            var random = new Random(seed);
            var line = Encoding.UTF8.GetBytes(Added);
            for (var damage = random.Next(1, 4); damage > 0; damage--) line[random.Next(line.Length)] = (byte)random.Next(256);
            try
            {
                WatchFrame.Parse(line.AsSpan(0, random.Next(line.Length + 1)), Resources.ConfigMaps);
            }
            catch (Exception e) when (e is JsonException or KubernetesException)
            {
                // refused
            }
        }).Check(Soak.Runs(2_000, 50_000));

    private static async Task<List<WatchEvent<V1ConfigMap>>> ReadAsync(ApiServerStub server, WatchOptions options)
    {
        using var client = Connect(server);
        var events = new List<WatchEvent<V1ConfigMap>>();
        await foreach (var e in client.Resource(Resources.ConfigMaps).WatchAsync("n", options, default)) events.Add(e);
        return events;
    }

    private static KubernetesClient Connect(ApiServerStub server) => ResourceClientTests.Connect(server, new() { WatchIdleTimeout = TimeSpan.FromMilliseconds(400) });
}
