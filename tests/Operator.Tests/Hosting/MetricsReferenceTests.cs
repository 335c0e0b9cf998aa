using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics;
using Opt.Api.V1Alpha1;
using Opt.Kubernetes;
using Opt.Operator.Hosting;
using Opt.Operator.Webhooks;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Hosting;

/// <summary>docs/metrics.md, the alerts and the Grafana boards against what the operator exposes.</summary>
public sealed partial class MetricsReferenceTests : IDisposable
{
    private readonly PrometheusExporter _exporter = new("Opt.");
    private readonly OperatorMetrics _operator = new();
    private readonly WebhookMetrics _webhooks = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public MetricsReferenceTests()
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        _ = (new ControllerMetrics(meters), new ClientMetrics(meters));
        _webhooks.Serves(DateTimeOffset.UnixEpoch.AddDays(1));
        _operator.Observed(new("default", "job"), new() { Phase = JobPhase.Running, StartTime = DateTimeOffset.UnixEpoch, TokensPerSecond = 5 });
        _operator.Bounded(new("default", "job"), [("relaunchInPlace", 3)], room: 2);
    }

    public void Dispose()
    {
        _exporter.Dispose();
        _operator.Dispose();
        _webhooks.Dispose();
        _services.Dispose();
    }

    [Fact]
    public void The_reference_says_what_the_code_exposes()
    {
        var rows = Declared().OrderBy(d => d.Name, StringComparer.Ordinal).Select(d => $"| `{d.Name}` | {d.Type} | {d.Help} |\n");
        var document = Repo.PathOf("docs", "metrics.md");
        var text = File.ReadAllText(document);
        var fresh = Section().Replace(text, $"<!-- operator -->\n| Metric | Type | Meaning |\n|---|---|---|\n{string.Concat(rows)}<!-- /operator -->");

        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1") File.WriteAllText(document, fresh);
        else Assert.True(fresh == text, "docs/metrics.md is not what the code exposes. Run `make golden`, then read the diff.");
    }

    [Fact]
    public void Every_name_follows_the_conventions() => Assert.All(Declared(), metric =>
    {
        Assert.Matches("^opt_(operator|kubernetes)_[a-z_]+$", metric.Name);
        Assert.Equal(metric.Type == "counter", metric.Name.EndsWith("_total", StringComparison.Ordinal));
        Assert.EndsWith(".", metric.Help, StringComparison.Ordinal);
    });

    [Fact]
    public void The_reference_names_everything_that_agents_expose()
    {
        var document = File.ReadAllText(Repo.PathOf("docs", "metrics.md"));
        var exposed = AgentMetric().Matches(File.ReadAllText(Repo.PathOf("src", "Trainer", "Agent", "Http", "AgentMetrics.cs"))).Select(m => m.Value).Distinct().ToArray();

        Assert.True(exposed.Length >= 20);
        Assert.All(exposed, name => Assert.Contains($"`{name}`", document, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Promtool_finds_nothing_wrong_with_what_is_exposed()
    {
        _operator.Acted("CreatePlan");
        _operator.Launched("WorkerFailed");
        _webhooks.Answered("mutate", "allowed");
        var promtool = Command.Find("promtool");
        Assert.SkipWhen(promtool is null, "promtool is not installed (Debian package prometheus)");

        var said = await Command.RunAsync(promtool!, ["check", "metrics"], input: _exporter.Write());

        Assert.True(said.ExitCode == 0, said.Error + said.Output);
    }

    [Fact]
    public void Every_query_of_the_boards_and_alerts_asks_for_something_that_is_exposed()
    {
        var agent = AgentMetric().Matches(File.ReadAllText(Repo.PathOf("src", "Trainer", "Agent", "Http", "AgentMetrics.cs"))).Select(m => m.Value);
        var exposed = Declared().Select(d => d.Name).Concat(agent).ToHashSet();
        var boards = Directory.GetFiles(Repo.PathOf("charts", "opt-operator", "files", "dashboards"), "*.json").SelectMany(f => Queries(JsonNode.Parse(File.ReadAllText(f))!)).ToArray();
        var alerts = AgentMetric().Matches(File.ReadAllText(Repo.PathOf("charts", "opt-operator", "files", "alerts.yaml"))).Select(m => m.Value);

        Assert.True(boards.Length >= 20, $"{boards.Length} queries");
        Assert.Empty(boards.SelectMany(q => AgentMetric().Matches(q)).Select(m => m.Value).Concat(alerts).Select(Base).Where(n => !exposed.Contains(n)).Distinct());
    }

    [Fact]
    public void A_recovery_is_timed_from_when_steps_ceased_until_they_went_on()
    {
        var at = DateTimeOffset.UnixEpoch;
        OptTrainingJobStatus Status(string running, int seconds, long step) => new() { Step = step, Conditions = [new() { Type = "Running", Status = running, Reason = "x", LastTransitionTime = at.AddSeconds(seconds) }] };

        Assert.Equal(TimeSpan.FromSeconds(70), OperatorMetrics.Recovery(Status("False", 30, 5), Status("True", 100, 5)));
        Assert.Null(OperatorMetrics.Recovery(Status("True", 30, 5), Status("True", 30, 6)));
        Assert.Null(OperatorMetrics.Recovery(Status("False", 30, 0), Status("True", 100, 0)));   // the first start is none
    }

    private List<(string Name, string Type, string Help)> Declared()
    {
        var lines = _exporter.Write().Split('\n');
        return [.. lines.Where(l => l.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(l => l.Split(' ')).Select(t => (t[2], t[3], lines.First(l => l.StartsWith($"# HELP {t[2]} ", StringComparison.Ordinal))[$"# HELP {t[2]} ".Length..])).Distinct()];
    }

    /// <summary>The queries of a Grafana board.</summary>
    internal static IEnumerable<string> Queries(JsonNode node) => node switch
    {
        JsonObject map => map.SelectMany(m => m is { Key: "expr", Value: JsonValue value } ? [(string)value!] : m.Value is null ? [] : Queries(m.Value)),
        JsonArray list => list.OfType<JsonNode>().SelectMany(Queries),
        _ => [],
    };

    private static string Base(string name) => HistogramPart().Replace(name, "");

    [GeneratedRegex("<!-- operator -->.*<!-- /operator -->", RegexOptions.Singleline)]
    private static partial Regex Section();

    [GeneratedRegex(@"\bopt_[a-z_]+\b")]
    private static partial Regex AgentMetric();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramPart();
}
