using Opt.Api;
using Opt.Testing;
using Xunit;

namespace Opt.Layout;

public sealed class AlertTests
{
    private const string Scenarios = "tests/alerts/alerts_test.yaml";

    [Fact]
    public async Task Promtool_accepts_the_rules() => (await PromtoolAsync("check", "rules", "--lint-fatal", Repo.PathOf(AlertRules.Path))).Succeeded();

    [Fact]
    public async Task The_alerts_fire_when_they_should_and_only_then()
    {
        var result = await PromtoolAsync("test", "rules", Repo.PathOf(Scenarios));

        Assert.True(result.ExitCode == 0, result.Output + result.Error);
    }

    [Fact]
    public void Every_alert_is_seen_firing_in_a_scenario()
    {
        var fired = Yaml.Parse(RepoFiles.Read(Scenarios))[0]["tests"]!.AsArray()
            .SelectMany(t => t!["alert_rule_test"]!.AsArray())
            .Where(t => t!["exp_alerts"] is not null)
            .Select(t => (string)t!["alertname"]!);

        Assert.Empty(AlertRules.Names().Except(fired));
    }

    [Fact]
    public void Every_alert_has_a_severity_a_summary_and_a_description() => Assert.All(AlertRules.All(), rule =>
    {
        Assert.Contains((string?)rule["labels"]!["severity"], new[] { "critical", "warning" });
        Assert.NotNull(rule["annotations"]!["summary"]);
        Assert.NotNull(rule["annotations"]!["description"]);
    });

    private static async Task<CommandResult> PromtoolAsync(params string[] arguments)
    {
        var found = Command.Find("promtool");
        Assert.SkipWhen(found is null, "promtool is not installed (Debian package prometheus)");
        return await Command.RunAsync(found!, arguments);
    }
}
