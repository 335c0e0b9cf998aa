using Microsoft.AspNetCore.Http;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class LogTests
{
    private static readonly ObjectKey Key = new("n", "p");

    [Fact]
    public async Task A_log_is_read_as_it_stands()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Stream("one\n", "tw\u00e9\n", "unfinished"));
        using var client = ResourceClientTests.Connect(server);
        Assert.Equal("one\ntw\u00e9\nunfinished", await client.Resource(Resources.Pods).ReadLogAsync(Key, new() { Timestamps = true, Since = TimeSpan.FromSeconds(1.5), LimitBytes = 100 }, default));
        Assert.Equal("/api/v1/namespaces/n/pods/p/log?timestamps=true&limitBytes=100&sinceSeconds=2", server.Requests[0].PathAndQuery);
    }

    [Fact]
    public async Task A_followed_log_comes_line_by_line_and_a_broken_connection_is_no_answer()
    {
        await using var server = await ApiServerStub.StartAsync(async context =>
        {
            await ApiServerStub.Stream("one\n", "two\n")(context);
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
            context.Abort();
        });
        using var client = ResourceClientTests.Connect(server);
        var lines = new List<string>();
        var broken = await Assert.ThrowsAsync<KubernetesException>(async () =>
        {
            await foreach (var line in client.Resource(Resources.Pods).FollowLogAsync(Key, new() { Follow = true }, default)) lines.Add(line);
        });
        Assert.Equal(["one", "two"], lines);
        Assert.Equal(KubernetesException.NoAnswer, broken.Reason);
    }

    [Fact]
    public async Task A_container_that_has_not_started_is_a_refusal_with_its_reason()
    {
        await using var server = await ApiServerStub.StartAsync(ApiServerStub.Refuse(400, "BadRequest"));
        using var client = ResourceClientTests.Connect(server);
        Assert.Equal(400, (await Assert.ThrowsAsync<KubernetesException>(() => client.Resource(Resources.Pods).ReadLogAsync(Key, new(), default))).Code);
        await Assert.ThrowsAsync<ArgumentException>(() => client.Resource(Resources.Pods).ReadLogAsync(Key, new() { Follow = true }, default));
    }
}
