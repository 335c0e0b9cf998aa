using System.Text.Json.Nodes;
using Opt.Api;
using Opt.Testing;
using Xunit;

namespace Opt.Layout.Chart;

public sealed class ChartRenderTests
{
    /// <summary>A folder under tests/golden/chart: values.yaml in, rendered.yaml out.</summary>
    public static TheoryData<string> Cases => [.. Directory.GetDirectories(Repo.PathOf("tests", "golden", "chart")).Select(d => Path.GetFileName(d)).Order()];

    [Fact]
    public async Task Helm_lint_finds_nothing_to_complain_about()
    {
        var result = await Helm.RunAsync("lint", "--strict", "--quiet", Helm.ChartFolder);

        Assert.True(result.ExitCode == 0, result.Output + result.Error);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task The_rendered_manifests_are_the_golden_ones(string name)
    {
        var rendered = await RenderAsync(name);

        Golden.Matches($"chart/{name}/rendered.yaml", rendered);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Every_object_has_the_recommended_labels_and_a_name_of_its_own(string name)
    {
        var objects = await ObjectsAsync(name);

        Assert.All(objects, o => Assert.Equal(("opt-operator", "opt", "Helm"), (Label(o, "app.kubernetes.io/name"), Label(o, "app.kubernetes.io/instance"), Label(o, "app.kubernetes.io/managed-by"))));
        var ids = objects.Select(o => $"{o.Id()} in {o["metadata"]!["namespace"]}").ToList();
        Assert.Equal(ids.Distinct(), ids);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Every_selector_of_the_operator_matches_its_pods_and_nothing_of_the_user_can_break_that(string name)
    {
        var objects = await ObjectsAsync(name);
        var deployment = objects.Single(o => (string?)o["kind"] == "Deployment");
        var pod = Labels(deployment["spec"]!["template"]!);
        JsonNode?[] selectors =
        [
            deployment["spec"]!["selector"]!["matchLabels"],
            .. objects.Where(o => (string?)o["kind"] == "PodDisruptionBudget").Select(o => o["spec"]!["selector"]!["matchLabels"]),
            .. objects.Where(o => (string?)o["kind"] == "Service").Select(o => o["spec"]!["selector"]),
        ];

        Assert.All(selectors, s => Assert.Subset(pod, Pairs(s)));
    }

    [Fact]
    public async Task One_replica_gets_no_disruption_budget_that_would_block_every_drain()
    {
        var objects = await Helm.ObjectsAsync("--set", "replicas=1");

        Assert.DoesNotContain(objects, o => (string?)o["kind"] == "PodDisruptionBudget");
    }

    private static Task<CommandResult> TemplateAsync(string name) => Helm.TemplateAsync("--values", Repo.PathOf("tests", "golden", "chart", name, "values.yaml"));

    private static async Task<string> RenderAsync(string name) => (await TemplateAsync(name)).Succeeded();

    private static async Task<IReadOnlyList<JsonObject>> ObjectsAsync(string name) => [.. Yaml.Parse(await RenderAsync(name)).Cast<JsonObject>()];

    private static string? Label(JsonObject item, string label) => (string?)item["metadata"]!["labels"]![label];

    private static HashSet<string> Labels(JsonNode item) => Pairs(item["metadata"]!["labels"]);

    private static HashSet<string> Pairs(JsonNode? labels) => [.. labels!.AsObject().Select(l => $"{l.Key}={l.Value}")];
}
