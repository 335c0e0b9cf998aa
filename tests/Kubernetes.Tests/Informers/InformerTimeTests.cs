using System.Net;
using System.Text;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>The loop around the machine against time itself: silence, outages, sleep. In virtual time.</summary>
public sealed class InformerTimeTests
{
    [Fact]
    public void A_stalled_connection_is_given_up_after_the_idle_time_and_resumed_from_the_version_held() => Test(async world =>
    {
        world.Tell(12);
        await world.AdvanceAsync(TimeSpan.FromSeconds(149));
        Assert.Equal(["list", "watch 10"], world.Requests);
        Assert.Equal(TimeSpan.FromSeconds(149), world.Informer.SilentFor);

        await world.AdvanceAsync(TimeSpan.FromSeconds(3));

        Assert.Equal(["list", "watch 10", "newest", "watch 12"], world.Requests);
        Assert.Equal("a@12", world.Shown);
    });

    [Fact]
    public void A_bookmark_moves_the_version_from_which_a_watch_is_resumed() => Test(async world =>
    {
        world.Bookmark(50);
        world.Watch.End();
        await world.AdvanceAsync(TimeSpan.Zero);
        Assert.Equal(["list", "watch 10", "watch 50"], world.Requests);
    });

    [Fact]
    public void A_server_that_is_away_is_asked_less_and_less_while_the_copy_stays_and_nothing_is_read_twice_afterwards() => Test(async world =>
    {
        world.IsDown = true;
        world.Watch.Break();
        await world.AdvanceAsync(TimeSpan.FromMinutes(50));
        world.Requests.Clear();
        await world.AdvanceAsync(TimeSpan.FromMinutes(10));
        Assert.InRange(world.Requests.Count, 20, 40);   // every 15 to 30 s
        Assert.Equal("a@10", world.Shown);
        Assert.True(world.Informer.HasSynced);
        Assert.InRange(world.Informer.SilentFor.TotalMinutes, 60, 61);

        (world.IsDown, world.Version) = (false, 70);
        world.Requests.Clear();
        await world.AdvanceAsync(TimeSpan.FromSeconds(31));
        Assert.Equal(["newest", "watch 10"], world.Requests);
    });

    [Fact]
    public void A_machine_that_slept_for_a_day_resumes_its_watch() => Test(async world =>
    {
        await world.SleepAsync(TimeSpan.FromDays(1));
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(["list", "watch 10", "newest", "watch 10"], world.Requests);

        world.Tell(11);
        await world.AdvanceAsync(TimeSpan.Zero);
        Assert.Equal("a@11", world.Shown);
    });

    [Fact]
    public void A_machine_that_slept_for_too_long_reads_everything_again_at_once() => Test(async world =>
    {
        (world.Version, world.OldestKept) = (5000, 4000);
        await world.SleepAsync(TimeSpan.FromDays(1));
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(["list", "watch 10", "newest", "watch 10", "list", "watch 5000"], world.Requests);
        Assert.Equal("a@5000", world.Shown);
    });

    [Fact]
    public void A_server_that_forgets_every_version_is_not_stormed_with_lists() => Test(async world =>
    {
        world.OldestKept = long.MaxValue;
        world.Watch.End();   // nothing was told: that counts as broken
        await world.AdvanceAsync(TimeSpan.FromMinutes(10));
        Assert.InRange(world.Requests.Count(r => r == "list"), 10, 50);
    });

    [Fact]
    public void A_server_that_names_a_time_is_left_alone_until_then() => Test(async world =>
    {
        (world.BusyFor, world.Version) = (TimeSpan.FromSeconds(45), 11);
        world.Bookmark(11);
        world.Watch.End();
        await world.AdvanceAsync(TimeSpan.FromSeconds(44));
        Assert.Equal(["list", "watch 10", "watch 11"], world.Requests);   // the second one was refused

        world.BusyFor = null;
        await world.AdvanceAsync(TimeSpan.FromSeconds(3));
        Assert.Equal(["newest", "watch 11"], world.Requests.Skip(3));
    });

    private static void Test(Func<World, Task> test) => Pump.Run(async settle =>
    {
        var world = new World(settle);
        await using (world) await test(world);
    });

    /// <summary>One config map behind the client's HTTP, in memory and on the pump's thread.</summary>
    private sealed class World : HttpMessageHandler, IAsyncDisposable
    {
        private readonly Func<Task> _settle;
        private readonly VirtualTime _clock = new();
        private readonly CancellationTokenSource _stop = new();
        private readonly KubernetesClient _client;
        private readonly Task _running;

        public World(Func<Task> settle)
        {
            _settle = settle;
            _client = new(new Uri("http://memory"), this, new() { Random = () => 0.5 }, _clock);
            Informer = new(_client.Resource(Resources.ConfigMaps), new() { Namespace = "n", StreamInitialState = false });
            _running = Informer.RunAsync(_stop.Token);
            settle();
        }

        public Informer<V1ConfigMap> Informer { get; }
        public List<string> Requests { get; } = [];
        public MemoryStreamOfLines Watch { get; private set; } = new();
        public long Version { get; set; } = 10;
        public long OldestKept { get; set; }
        public bool IsDown { get; set; }

        /// <summary>Watches are refused with 429 and this time.</summary>
        public TimeSpan? BusyFor { get; set; }
        public string Shown => string.Join(' ', Informer.Snapshot.Items.Select(m => $"{m.Metadata.Name}@{m.Metadata.ResourceVersion}"));

        public void Tell(long version)
        {
            Version = version;
            Watch.Write($"{{\"type\":\"MODIFIED\",\"object\":{Item()}}}\n");
        }

        public void Bookmark(long version) => Watch.Write($$$"""{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"{{{version}}}"} }}""" + "\n");

        public Task AdvanceAsync(TimeSpan by) => _clock.AdvanceAsync(by, _settle);

        /// <summary>Time passes without any code running; then all timers are due together.</summary>
        public async Task SleepAsync(TimeSpan time)
        {
            await _clock.AdvanceAsync(time, () => Task.CompletedTask);
            await _settle();
        }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var query = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(request.RequestUri!.Query);
            var isWatch = query.ContainsKey("watch");
            Requests.Add(isWatch ? $"watch {query["resourceVersion"]}" : query["limit"] == "1" ? "newest" : "list");
            if (IsDown) throw new HttpRequestException(HttpRequestError.ConnectionError, "connection refused");
            if (!isWatch) return Answer(200, $$$"""{"metadata":{"resourceVersion":"{{{Version}}}"},"items":[{{{Item()}}}]}""");
            if (BusyFor is { } time) return Busy(time);
            if (long.Parse(query["resourceVersion"]!, System.Globalization.CultureInfo.InvariantCulture) < OldestKept) return Answer(410, """{"kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410}""");
            Watch = new();
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(Watch) });
        }

        public async ValueTask DisposeAsync()
        {
            _stop.Cancel();   // in place: CancelAsync would leave the pump's thread
            await _settle();
            Assert.True(_running.IsCompletedSuccessfully, _running.Status.ToString());
            Informer.Dispose();
            _client.Dispose();
            _stop.Dispose();
            Dispose();
        }

        private string Item() => $$$"""{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"{{{Version}}}"}}""";

        private static async Task<HttpResponseMessage> Busy(TimeSpan time)
        {
            var answer = await Answer(429, """{"kind":"Status","status":"Failure","message":"too many requests","reason":"TooManyRequests","code":429}""");
            answer.Headers.RetryAfter = new(time);
            return answer;
        }

        private static Task<HttpResponseMessage> Answer(int code, string body) =>
            Task.FromResult(new HttpResponseMessage((HttpStatusCode)code) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) });
    }
}
