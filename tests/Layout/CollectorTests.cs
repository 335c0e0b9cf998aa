using System.Text.RegularExpressions;
using Opt.Api;
using Opt.Testing;
using Xunit;

namespace Opt.Layout;

/// <summary>The collector's configuration in docs/metrics.md.</summary>
public sealed partial class CollectorTests
{
    [Fact]
    public async Task Prometheus_accepts_the_scrape_configuration_that_the_guide_gives_to_a_collector()
    {
        var promtool = Command.Find("promtool");
        Assert.SkipWhen(promtool is null, "promtool is not installed (Debian package prometheus)");
        var collector = Yaml.Parse(Block().Match(RepoFiles.Read("docs/metrics.md")).Groups[1].Value)[0]!;
        var scraped = collector["receivers"]!["prometheus"]!["config"]!["scrape_configs"]!.AsArray();
        foreach (var job in scraped)
        {
            // Debian's Prometheus is built without Kubernetes discovery; the collector's is not.
            Assert.Equal("pod", (string?)job!["kubernetes_sd_configs"]![0]!["role"]);
            job.AsObject().Remove("kubernetes_sd_configs");
        }

        var folder = Directory.CreateTempSubdirectory("opt-collector-");
        var file = Path.Combine(folder.FullName, "prometheus.yaml");
        await File.WriteAllTextAsync(file, collector["receivers"]!["prometheus"]!["config"]!.ToJsonString(), TestContext.Current.CancellationToken);

        var result = await Command.RunAsync(promtool!, ["check", "config", file]);
        folder.Delete(recursive: true);

        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Equal(["opt-operator", "opt-agents"], scraped.Select(c => (string?)c!["job_name"]));
    }

    [GeneratedRegex("^```yaml\n(receivers:.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();
}
