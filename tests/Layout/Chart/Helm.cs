using Opt.Api;
using Opt.Testing;
using System.Text.Json.Nodes;
using Xunit;

namespace Opt.Layout.Chart;

/// <summary>The real helm, fetched by <c>eng/helm.sh</c>. A test that needs it is skipped, saying why, where it cannot be had.</summary>
public static class Helm
{
    public static readonly string ChartFolder = Repo.PathOf("charts", "opt-operator");
    private static readonly Lazy<Task<CommandResult>> Tools = new(() => Command.RunAsync(Repo.PathOf("eng", "helm.sh"), []));

    /// <summary>Runs helm with caches and configuration of its own, untouched by the user's.</summary>
    public static async Task<CommandResult> RunAsync(params IEnumerable<string> arguments)
    {
        var tools = await Tools.Value;
        Assert.SkipUnless(tools.ExitCode == 0, $"helm is not available: {tools.Error.Trim()}");
        var home = Repo.PathOf(".cache", "helm-home");
        return await Command.RunAsync(Path.Combine(tools.Output.Trim(), "helm"), arguments, new Dictionary<string, string>
        {
            ["HELM_CACHE_HOME"] = home,
            ["HELM_CONFIG_HOME"] = home,
            ["HELM_DATA_HOME"] = home,
            ["KUBECONFIG"] = "/dev/null",
        });
    }

    /// <summary>Renders the chart as release "opt" into namespace "opt-system", as helm prints it.</summary>
    public static Task<CommandResult> TemplateAsync(params IEnumerable<string> arguments) =>
        RunAsync(["template", "opt", ChartFolder, "--namespace", "opt-system", .. arguments]);

    /// <summary>As <see cref="TemplateAsync"/>, parsed: one object a document.</summary>
    public static async Task<IReadOnlyList<JsonObject>> ObjectsAsync(params IEnumerable<string> arguments) =>
        [.. Yaml.Parse((await TemplateAsync(arguments)).Succeeded()).Cast<JsonObject>()];

    /// <summary>"Deployment/opt-opt-operator".</summary>
    public static string Id(this JsonObject item) => $"{item["kind"]}/{item["metadata"]!["name"]}";
}
