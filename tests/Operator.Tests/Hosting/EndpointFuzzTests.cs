using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Operator.Dashboard;
using Opt.Operator.Hosting;
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
    public async Task Requests_that_never_end_keep_nobody_out_of_dashboard_webhooks_and_probes()
    {
        await using var cluster = await LiveCluster.StartAsync();
        await using var dashboard = await DashboardServer.StartAsync(IPAddress.Loopback, 0, new SampleData(steps: 100), new TokenAccess(null), TimeProvider.System, Cancelled);
        await using var webhooks = await WebhookServer.StartAsync(
            new() { Port = 0, BindAddress = IPAddress.Loopback, Names = ["localhost"], Secret = new("default", "webhooks") }, cluster.Client, TimeProvider.System, NullLoggerFactory.Instance, Cancelled);
        using var exporter = new PrometheusExporter("Opt.Slow");
        var health = FreePort();
        await using var probes = await Endpoints.StartAsync(new() { HealthPort = health, MetricsPort = health, BindAddress = IPAddress.Loopback }, () => true, exporter, Cancelled);
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = new() { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null } });
        foreach (var (port, url, code) in new[]
        {
            (dashboard.Address.Port, dashboard.Address.ToString(), 200), (webhooks.Port, $"https://127.0.0.1:{webhooks.Port}{WebhookServer.ValidatePath}", 405), (health, $"http://127.0.0.1:{health}/healthz", 200), (health, $"http://127.0.0.1:{health}/metrics", 200),
        })
        {
            await using var slow = await SlowRequests.OpenAsync(new(IPAddress.Loopback, port), count: 100, Cancelled);
            using var answer = await http.GetAsync(url, Cancelled);
            Assert.Equal(code, (int)answer.StatusCode);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [Fact]
    public async Task The_probes_and_metrics_refuse_malformed_requests_and_go_on()
    {
        using var exporter = new PrometheusExporter("Opt.Fuzz");
        var health = FreePort();
        await using var probes = await Endpoints.StartAsync(new() { HealthPort = health, MetricsPort = health, BindAddress = IPAddress.Loopback }, () => true, exporter, Cancelled);

        var answers = await RequestFuzz.RunAsync(new(new(IPAddress.Loopback, health), [("GET", "/healthz", ""), ("GET", "/readyz", ""), ("GET", "/metrics", "")], []), quick: 100, Cancelled);

        Assert.Contains(400, answers.Keys);
        using var http = new HttpClient();
        Assert.Equal("ok\n", await http.GetStringAsync($"http://127.0.0.1:{health}/healthz", Cancelled));
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
