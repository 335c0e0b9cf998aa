using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Operator.Dashboard;
using Opt.Operator.Tests.Dashboard;
using Opt.Operator.Tests.Live;
using Opt.Operator.Webhooks;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Hosting;

/// <summary>The operator's own ports among hostile neighbours.</summary>
public sealed class EndpointFuzzTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_dashboard_refuses_malformed_requests_and_goes_on()
    {
        await using var server = await DashboardServer.StartAsync(IPAddress.Loopback, 0, new SampleData(steps: 100), new TokenAccess(null), TimeProvider.System, Cancelled);
        var target = new FuzzTarget(new(IPAddress.Loopback, server.Address.Port), [("GET", "/api/v1/jobs", ""), ("GET", "/api/v1/jobs/research/opt-175b/steps?points=10", ""), ("POST", "/api/v1/login", """{"token": "x"}"""), ("GET", "/api/v1/jobs/research/opt-175b/logbook", ""), ("GET", "/main.js", "")], []);

        var answers = await RequestFuzz.RunAsync(target, quick: 100, Cancelled);

        Assert.Contains(400, answers.Keys);
        using var http = new HttpClient { BaseAddress = server.Address };
        Assert.Contains("<html", await http.GetStringAsync("", Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_webhooks_refuse_malformed_requests_and_go_on()
    {
        await using var cluster = await LiveCluster.StartAsync();
        await using var server = await WebhookServer.StartAsync(
            new() { Port = 0, BindAddress = IPAddress.Loopback, Names = ["localhost"], Secret = new("default", "webhooks") }, cluster.Client, TimeProvider.System, NullLoggerFactory.Instance, Cancelled);
        var review = """{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": "CREATE", "userInfo": {"username": "a"}, "object": {"metadata": {"name": "j"}, "spec": {"topology": {"nodes": 1}}}}}""";
        var target = new FuzzTarget(new(IPAddress.Loopback, server.Port), [("POST", WebhookServer.ValidatePath, review), ("POST", WebhookServer.MutatePath, review), ("GET", "/", "")], [], Secure: true);

        var answers = await RequestFuzz.RunAsync(target, quick: 100, Cancelled);

        Assert.Contains(400, answers.Keys);
        Assert.True(server.IsReady);
    }
}
