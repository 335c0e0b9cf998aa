using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Opt.Api.V1Alpha1;
using Opt.Operator.Hosting;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Hosting;

/// <summary>A real Prometheus against the operator's metrics port.</summary>
public sealed partial class PrometheusScrapeTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Prometheus_scrapes_the_operator_and_answers_what_the_alerts_ask()
    {
        var program = Command.Find("prometheus");
        Assert.SkipWhen(program is null, "prometheus is not installed (Debian package prometheus)");
        using var exporter = new PrometheusExporter("Opt.");
        using var metrics = new OperatorMetrics();
        metrics.Observed(new("default", "job"), new() { Phase = JobPhase.Running, StartTime = DateTimeOffset.UnixEpoch, TokensPerSecond = 5 });
        var (scraped, web) = (FreePort(), FreePort());
        await using var endpoints = await Endpoints.StartAsync(new() { MetricsPort = scraped, BindAddress = IPAddress.Loopback }, () => true, exporter, Cancelled);
        var folder = Directory.CreateTempSubdirectory("opt-prometheus-");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "prometheus.yml"), $$"""
            global: {scrape_interval: 1s}
            rule_files: [{{Repo.PathOf("charts", "opt-operator", "files", "alerts.yaml")}}]
            scrape_configs: [{job_name: opt-operator, static_configs: [{targets: ["127.0.0.1:{{scraped}}"]}]}]
            """, Cancelled);
        using var prometheus = Process.Start(new ProcessStartInfo(program!,
            [$"--config.file={folder.FullName}/prometheus.yml", $"--storage.tsdb.path={folder.FullName}/data", $"--web.listen-address=127.0.0.1:{web}"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        try
        {
            var said = prometheus.StandardError.ReadToEndAsync(Cancelled);
            using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{web}/") };
            var running = await QueryAsync(http, prometheus, "opt_operator_jobs{phase=\"Running\"} and on(instance) up == 1", said);
            Assert.Equal("1", (string?)running["value"]![1]);

            var rules = JsonNode.Parse(await http.GetStringAsync("api/v1/rules", Cancelled))!["data"]!["groups"]!.AsArray().SelectMany(g => g!["rules"]!.AsArray()).ToList();
            Assert.True(rules.Count >= 8, $"{rules.Count} rules");
            Assert.All(rules, r => Assert.NotEqual("err", (string?)r!["health"]));

            var queries = Directory.GetFiles(Repo.PathOf("charts", "opt-operator", "files", "dashboards"), "*.json").SelectMany(f => MetricsReferenceTests.Queries(JsonNode.Parse(File.ReadAllText(f))!)).Distinct().ToArray();
            Assert.True(queries.Length >= 20, $"{queries.Length} queries");
            foreach (var query in queries)
            {
                using var answer = await http.GetAsync($"api/v1/query?query={Uri.EscapeDataString(WithoutVariables(query))}", Cancelled);
                Assert.True(answer.IsSuccessStatusCode, $"{query}: {await answer.Content.ReadAsStringAsync(Cancelled)}");
            }
        }
        finally
        {
            prometheus.Kill();
            await prometheus.WaitForExitAsync(CancellationToken.None);
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The first answer to a query that has one, within a minute.</summary>
    private static async Task<JsonNode> QueryAsync(HttpClient http, Process prometheus, string query, Task<string> said)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            Assert.False(prometheus.HasExited, prometheus.HasExited ? await said : "");
            try
            {
                var answer = JsonNode.Parse(await http.GetStringAsync($"api/v1/query?query={Uri.EscapeDataString(query)}", deadline.Token))!;
                if (answer["data"]!["result"]!.AsArray() is { Count: > 0 } result) return result[0]!;
            }
            catch (HttpRequestException)
            {
                // not listening yet
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, deadline.Token);
        }
    }

    /// <summary>As Grafana asks it: its variables have values.</summary>
    private static string WithoutVariables(string query) => Variable().Replace(query.Replace("$__rate_interval", "5m", StringComparison.Ordinal).Replace("$__range", "1h", StringComparison.Ordinal).Replace("$__interval", "1m", StringComparison.Ordinal), ".*");

    [GeneratedRegex(@"\$\{?[a-z_]+\}?")]
    private static partial Regex Variable();

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
