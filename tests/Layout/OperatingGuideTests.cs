using System.Reflection;
using Opt.Planning;
using Xunit;

namespace Opt.Layout;

/// <summary>The guide an on-call person opens knows every word the system can say.</summary>
public sealed class OperatingGuideTests
{
    private static readonly string Guide = RepoFiles.Read("docs/operating.md");

    [Fact]
    public void The_guide_explains_every_cause_of_a_launch() => Assert.All(Constants(typeof(Reasons)), reason => Assert.Contains($"`{reason}`", Guide, StringComparison.Ordinal));

    [Fact]
    public void Every_test_that_the_failure_guide_names_is_there()
    {
        var guide = RepoFiles.Read("docs/failures.md");
        var table = guide[guide.IndexOf("## What others stumble over", StringComparison.Ordinal)..];
        var tests = string.Concat(RepoFiles.Under("tests", ".cs").Select(RepoFiles.Read));
        string[] named = [.. table.Split('`').Where((_, i) => i % 2 == 1)];
        Assert.True(named.Length >= 20);
        Assert.All(named, test => Assert.Contains($" {test}(", tests, StringComparison.Ordinal));
    }

    [Fact]
    public void The_guide_explains_every_condition() => Assert.All(ConditionTypes.All, type => Assert.Contains($"| `{type}` |", Guide, StringComparison.Ordinal));

    [Fact]
    public void The_guide_explains_every_account_of_the_goodput_ledger() => Assert.All(Accounts.All, account => Assert.Contains($"`{account}`", Guide, StringComparison.Ordinal));

    [Fact]
    public void The_guide_has_a_section_for_every_alert() => Assert.All(AlertRules.Names(), name => Assert.Contains($"\n### {name}\n", Guide, StringComparison.Ordinal));

    private static IEnumerable<string> Constants(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!);
}
