using Microsoft.AspNetCore.Http;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class RetryPolicyTests
{
    private static readonly KubernetesClientOptions Options = new() { Random = () => 1, RetryDelay = TimeSpan.FromSeconds(0.2), RetryDelayCap = TimeSpan.FromSeconds(5), MaxAttempts = 9 };

    [Theory]
    [InlineData(Repeat.Safe, 500, false, true)]
    [InlineData(Repeat.Safe, 503, false, true)]
    [InlineData(Repeat.Safe, 0, false, true)]
    [InlineData(Repeat.Safe, 429, false, true)]
    [InlineData(Repeat.Safe, 404, false, false)]
    [InlineData(Repeat.Safe, 409, false, false)]
    [InlineData(Repeat.Safe, 410, false, false)]
    [InlineData(Repeat.Safe, 422, false, false)]
    [InlineData(Repeat.IfNotProcessed, 0, true, true)]
    [InlineData(Repeat.IfNotProcessed, 0, false, false)]
    [InlineData(Repeat.IfNotProcessed, 429, false, true)]
    [InlineData(Repeat.IfNotProcessed, 500, false, false)]
    [InlineData(Repeat.IfNotProcessed, 503, false, false)]
    [InlineData(Repeat.IfNotProcessed, 504, false, false)]
    [InlineData(Repeat.Never, 429, true, false)]
    public void A_request_is_repeated_only_where_that_cannot_do_harm(object repeat, int code, bool neverSent, bool again) =>
        Assert.Equal(again, RetryPolicy.Decide(new(code, null, neverSent), (Repeat)repeat, 1, Options) is not null);

    [Fact]
    public void A_create_is_repeated_when_the_server_says_when() =>
        Assert.Equal(TimeSpan.FromSeconds(7.2), RetryPolicy.Decide(new(503, TimeSpan.FromSeconds(7), false), Repeat.IfNotProcessed, 1, Options));

    [Fact]
    public void Waits_double_up_to_the_cap_and_end_with_the_attempts() =>
        Assert.Equal([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, null], Enumerable.Range(1, 9).Select(n => RetryPolicy.Decide(new(500, null, false), Repeat.Safe, n, Options)?.TotalSeconds));

    [Fact]
    public async Task A_busy_server_is_asked_again_after_the_time_it_names()
    {
        await using var server = await ApiServerStub.StartAsync(
            ApiServerStub.Refuse(429, "TooManyRequests", ("Retry-After", "1")), ApiServerStub.Json(200, """{"kind":"Pod","metadata":{"name":"a"}}"""));
        using var client = ResourceClientTests.Connect(server);
        var started = TimeProvider.System.GetTimestamp();

        await client.Resource(Resources.Pods).CreateAsync(new() { Metadata = new() { Name = "a", Namespace = "n" } }, default);

        Assert.Equal(2, server.Requests.Count);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started).TotalSeconds, 0.9, 10);
    }

    [Fact]
    public async Task A_create_whose_answer_was_lost_is_not_repeated_and_says_that_nobody_knows()
    {
        await using var server = await ApiServerStub.StartAsync(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        using var client = ResourceClientTests.Connect(server);

        var lost = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).CreateAsync(new() { Metadata = new() { Name = "a", Namespace = "n" } }, default));

        Assert.True(lost.IsOutcomeUnknown);
        Assert.Equal(KubernetesException.NoAnswer, lost.Reason);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_server_in_trouble_sees_few_retries()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(500, "InternalError"));
        using var client = ResourceClientTests.Connect(server, new() { RetryBudget = 3, RetryDelay = TimeSpan.FromMilliseconds(1) });

        for (var call = 0; call < 10; call++) await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).GetAsync(new("n", "a"), default));

        Assert.Equal(13, server.Requests.Count);
    }

    [Fact]
    public async Task A_server_that_answers_nothing_runs_into_the_deadline_of_each_attempt()
    {
        using var stop = new CancellationTokenSource();
        await using var server = await ApiServerStub.StartAsync(async context => await Task.Delay(TimeSpan.FromMinutes(1), TimeProvider.System, stop.Token).ContinueWith(_ => { }, TaskScheduler.Default));
        using var client = ResourceClientTests.Connect(server, new() { AttemptTimeout = TimeSpan.FromMilliseconds(200), MaxAttempts = 3, RetryDelay = TimeSpan.FromMilliseconds(1) });
        try
        {
            var late = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).GetAsync(new("n", "a"), default));
            Assert.True(late.IsOutcomeUnknown);
            Assert.Contains("attempt took longer than 0.2 s", late.Message, StringComparison.Ordinal);
            Assert.InRange(server.Requests.Count, 1, 3);
        }
        finally
        {
            await stop.CancelAsync();
        }
    }

    [Fact]
    public async Task A_wait_that_the_calls_deadline_would_cut_short_ends_at_once_with_the_servers_reason()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(503, "ServiceUnavailable", ("Retry-After", "60")));
        using var client = ResourceClientTests.Connect(server, new() { RequestTimeout = TimeSpan.FromSeconds(30) });
        var refused = await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).GetAsync(new("n", "a"), default));
        Assert.Equal((503, TimeSpan.FromSeconds(60)), (refused.Code, refused.RetryAfter));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_body_that_is_cut_is_no_answer_and_is_read_again()
    {
        await using var server = await ApiServerStub.StartAsync(
            async context =>
            {
                context.Response.ContentLength = 1000;
                await context.Response.WriteAsync("{\"kind\":");
                await context.Response.Body.FlushAsync();
                context.Abort();
            },
            ApiServerStub.Json(200, """{"kind":"Pod","metadata":{"name":"a"}}"""));
        using var client = ResourceClientTests.Connect(server);

        Assert.Equal("a", (await client.Resource(Resources.Pods).GetAsync(new("n", "a"), default)).Metadata.Name);
    }

    [Fact]
    public async Task The_callers_own_cancellation_is_told_apart_from_a_deadline()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(503, "ServiceUnavailable", ("Retry-After", "20")));
        using var client = ResourceClientTests.Connect(server);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.Resource(Resources.Pods).GetAsync(new("n", "a"), stop.Token));
    }
}
