using System.Net;
using System.Text;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>How long a call waits, to the second: rate limit, Retry-After, attempts and the whole. In virtual time.</summary>
public sealed class DeadlineTests
{
    private static readonly ObjectKey Key = new("n", "a");

    [Fact]
    public void A_busy_server_is_asked_again_after_the_time_it_named_and_not_before() => Test(async world =>
    {
        world.Answers.Enqueue(() => Refusal(429, TimeSpan.FromSeconds(7)));
        world.Answers.Enqueue(Pod);
        var get = world.Client.Resource(Resources.Pods).GetAsync(Key, default);
        await world.AdvanceAsync(TimeSpan.FromSeconds(6.9));
        Assert.Single(world.Times);
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("a", (await get).Metadata.Name);
        Assert.Equal(7.1, world.Times[1], 3);   // and half of the first back-off, by the jitter
    });

    [Fact]
    public void An_attempt_without_an_answer_ends_after_its_time_and_the_call_after_its_own() => Test(async world =>
    {
        var get = world.Client.Resource(Resources.Pods).GetAsync(Key, default);
        await world.AdvanceAsync(TimeSpan.FromSeconds(14.9));
        Assert.Single(world.Times);
        await world.AdvanceAsync(TimeSpan.FromSeconds(15));
        Assert.Equal((2, false), (world.Times.Count, get.IsCompleted));
        await world.AdvanceAsync(TimeSpan.FromSeconds(0.2));
        Assert.Contains("deadline of 30 s passed", (await Assert.ThrowsAsync<KubernetesException>(() => get)).Message, StringComparison.Ordinal);
    });

    [Fact]
    public void More_requests_than_the_rate_allows_wait_for_their_turn() => Test(async world =>
    {
        for (var i = 0; i < 5; i++) world.Answers.Enqueue(Pod);
        var gets = Task.WhenAll(Enumerable.Range(0, 5).Select(_ => world.Client.Resource(Resources.Pods).GetAsync(Key, default)));
        await world.AdvanceAsync(TimeSpan.FromSeconds(2));
        await gets;
        Assert.Equal([0, 0, 0.5, 1, 1.5], world.Times.Select(t => Math.Round(t, 3)));
    });

    private static HttpResponseMessage Pod() => new(HttpStatusCode.OK) { Content = new ByteArrayContent("""{"kind":"Pod","metadata":{"name":"a"}}"""u8.ToArray()) };

    private static HttpResponseMessage Refusal(int code, TimeSpan after)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)code) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes($$"""{"kind":"Status","status":"Failure","reason":"x","code":{{code}}}""")) };
        answer.Headers.RetryAfter = new(after);
        return answer;
    }

    private static void Test(Func<World, Task> test) => Pump.Run(async settle =>
    {
        using var world = new World(settle);
        await test(world);
    });

    /// <summary>Answers in turn and notes when it was asked; says nothing when it has no answer left.</summary>
    private sealed class World : HttpMessageHandler
    {
        private readonly VirtualTime _clock = new();
        private readonly Func<Task> _settle;

        public World(Func<Task> settle)
        {
            _settle = settle;
            Client = new(new Uri("http://memory"), this, new() { Random = () => 0.5, QueriesPerSecond = 2, Burst = 2 }, _clock);
        }

        public KubernetesClient Client { get; }
        public Queue<Func<HttpResponseMessage>> Answers { get; } = new();
        public List<double> Times { get; } = [];

        public Task AdvanceAsync(TimeSpan by) => _clock.AdvanceAsync(by, _settle);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Times.Add((_clock.GetUtcNow() - VirtualTime.Start).TotalSeconds);
            if (!Answers.TryDequeue(out var answer)) await Task.Delay(Timeout.InfiniteTimeSpan, _clock, cancellationToken);
            return answer!();
        }
    }
}
