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

    /// <summary>Caches and configuration of their own for helm and kubectl, untouched by the user's.</summary>
    public static readonly IReadOnlyDictionary<string, string> Environment = new Dictionary<string, string>
    {
        ["HELM_CACHE_HOME"] = Repo.PathOf(".cache", "helm-home"),
        ["HELM_CONFIG_HOME"] = Repo.PathOf(".cache", "helm-home"),
        ["HELM_DATA_HOME"] = Repo.PathOf(".cache", "helm-home"),
        ["KUBECACHEDIR"] = Repo.PathOf(".cache", "kube"),
        ["KUBECONFIG"] = "/dev/null",
    };

    /// <summary>Where helm or kubectl lies.</summary>
    public static async Task<string> PathOfAsync(string tool)
    {
        var tools = await Tools.Value;
        Assert.SkipUnless(tools.ExitCode == 0, $"{tool} is not available: {tools.Error.Trim()}");
        return Path.Combine(tools.Output.Trim(), tool);
    }

    public static async Task<CommandResult> RunAsync(params IEnumerable<string> arguments) => await Command.RunAsync(await PathOfAsync("helm"), arguments, Environment);

    /// <summary>Renders the chart as release "opt" into namespace "opt-system", as helm prints it.</summary>
    public static Task<CommandResult> TemplateAsync(params IEnumerable<string> arguments) =>
        RunAsync(["template", "opt", ChartFolder, "--namespace", "opt-system", .. arguments]);

    /// <summary>As <see cref="TemplateAsync"/>, parsed: one object a document.</summary>
    public static async Task<IReadOnlyList<JsonObject>> ObjectsAsync(params IEnumerable<string> arguments) =>
        [.. Yaml.Parse((await TemplateAsync(arguments)).Succeeded()).Cast<JsonObject>()];

    /// <summary>"Deployment/opt-opt-operator".</summary>
    public static string Id(this JsonObject item) => $"{item["kind"]}/{item["metadata"]!["name"]}";
}
