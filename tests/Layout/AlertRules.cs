using System.Text.Json.Nodes;
using Opt.Api;

namespace Opt.Layout;

/// <summary>The alerting rules that the chart ships.</summary>
public static class AlertRules
{
    public const string Path = "charts/opt-operator/files/alerts.yaml";

    public static IReadOnlyList<JsonObject> All() =>
        [.. Yaml.Parse(RepoFiles.Read(Path))[0]["groups"]!.AsArray().SelectMany(g => g!["rules"]!.AsArray()).Cast<JsonObject>()];

    public static IEnumerable<string> Names() => All().Select(r => (string)r["alert"]!);
}
