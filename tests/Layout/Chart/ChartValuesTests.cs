using System.Text.Json.Nodes;
using Xunit;

namespace Opt.Layout.Chart;

public sealed class ChartValuesTests
{
    // A digest wins over the tag, and monitors and policies are off by default: these values show only together with another.
    private static readonly Dictionary<string, string> Needs = new()
    {
        ["serviceAccount.name"] = "serviceAccount.create=true",
        ["metrics.serviceMonitor.labels"] = "metrics.serviceMonitor.enabled=true",
        ["metrics.serviceMonitor.interval"] = "metrics.serviceMonitor.enabled=true",
        ["metrics.podMonitor.labels"] = "metrics.podMonitor.enabled=true",
        ["metrics.podMonitor.interval"] = "metrics.podMonitor.enabled=true",
        ["metrics.rules.labels"] = "metrics.rules.enabled=true",
        ["metrics.grafana.labels"] = "metrics.grafana.enabled=true",
        ["webhooks.certManager.issuerRef"] = "webhooks.certManager.enabled=true",
        ["dashboard.from"] = "networkPolicy.enabled=true",
        ["networkPolicy.apiServerPorts"] = "networkPolicy.enabled=true",
        ["networkPolicy.metricsFrom"] = "networkPolicy.enabled=true",
        ["networkPolicy.trainerNamespaces"] = "networkPolicy.enabled=true",
    };

    // Values whose opposite or neighbour is not enough of a sample.
    private static readonly Dictionary<string, string> Samples = new()
    {
        ["scope"] = "\"namespace\"",
        ["image.digest"] = $"\"sha256:{new string('a', 64)}\"",
        ["image.pullPolicy"] = "\"Always\"",
        ["imagePullSecrets"] = """[{"name": "registry"}]""",
        ["extraArgs"] = """["--extra"]""",
        ["extraEnv"] = """[{"name": "EXTRA", "value": "1"}]""",
        ["extraVolumes"] = """[{"name": "extra", "emptyDir": {}}]""",
        ["extraVolumeMounts"] = """[{"name": "extra", "mountPath": "/extra"}]""",
        ["resources"] = """{"limits": {"memory": "1Gi"}}""",
        ["tolerations"] = """[{"operator": "Exists"}]""",
        ["affinity"] = """{"nodeAffinity": {}}""",
        ["topologySpreadConstraints"] = """[{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]""",
        ["podSecurityContext"] = """{"runAsUser": 1234}""",
        ["securityContext"] = """{"privileged": false}""",
        ["metrics.port"] = "9000",
        ["metrics.serviceMonitor.interval"] = "\"15s\"",
        ["metrics.podMonitor.interval"] = "\"15s\"",
        ["webhooks.failurePolicy"] = "\"Fail\"",
        ["webhooks.certManager.issuerRef"] = """{"name": "corporate", "kind": "ClusterIssuer"}""",
        ["dashboard.from"] = """[{"podSelector": {}}]""",
        ["networkPolicy.apiServerPorts"] = "[8443]",
        ["networkPolicy.metricsFrom"] = """[{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]""",
        ["networkPolicy.trainerNamespaces"] = """["research"]""",
    };

    public static TheoryData<string> Documented => [.. ChartValues.Documented().Select(v => v.Path)];

    [Fact]
    public void Every_value_is_documented() => Assert.Empty(ChartValues.Undocumented());

    [Theory]
    [MemberData(nameof(Documented))]
    public async Task Every_documented_value_changes_what_is_rendered(string path)
    {
        string[] needs = Needs.TryGetValue(path, out var need) ? ["--set", need] : [];
        var before = (await Helm.TemplateAsync(needs)).Succeeded();
        var after = (await Helm.TemplateAsync([.. needs, "--set-json", $"{path}={Sample(path)}"])).Succeeded();

        Assert.NotEqual(before, after);
    }

    [Theory]
    [InlineData("replica=3", "replica")]
    [InlineData("image.tagg=v1", "tagg")]
    [InlineData("scope=both", "scope")]
    [InlineData("replicas=-1", "replicas")]
    [InlineData("image.digest=sha256:12", "digest")]
    [InlineData("metrics.port=80", "port")]
    [InlineData("metrics.port=8081", "differ")]
    [InlineData("webhooks.port=8080", "differ")]
    [InlineData("dashboard.port=9443", "differ")]
    [InlineData("webhooks.failurePolicy=Open", "failurePolicy")]
    public async Task A_mistaken_value_is_refused_and_named(string setting, string named)
    {
        var result = await Helm.TemplateAsync("--set", setting);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_in_the_charts_readme_is_generated_from_the_comments() =>
        GeneratedSection.Matches("charts/opt-operator/README.md", "values", RenderTable());

    private static string RenderTable() => "| Value | Default | Meaning |\n|---|---|---|\n" + string.Concat(ChartValues.Documented().Select(v =>
        $"| `{v.Path}` | `{v.Default?.ToJsonString(Pretty) ?? "null"}` | {v.Comment.Replace("|", "\\|", StringComparison.Ordinal)} |\n"));

    private static readonly System.Text.Json.JsonSerializerOptions Pretty = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static string Sample(string path) => Samples.TryGetValue(path, out var sample) ? sample : Other(ChartValues.Documented().Single(v => v.Path == path).Default);

    /// <summary>Another value of the same type: the opposite, the next number, a name, a label.</summary>
    private static string Other(JsonNode? value) => value switch
    {
        JsonObject => """{"example": "other"}""",
        JsonValue v when v.TryGetValue<bool>(out var flag) => flag ? "false" : "true",
        JsonValue v when v.TryGetValue<long>(out var number) => $"{number + 1}",
        JsonValue => "\"other\"",
        _ => throw new InvalidOperationException($"give {value} a sample"),
    };
}
