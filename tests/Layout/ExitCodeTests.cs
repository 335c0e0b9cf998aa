using System.Text.RegularExpressions;
using Opt.Api.Protocol;
using Xunit;

namespace Opt.Layout;

public sealed partial class ExitCodeTests
{
    private const string Source = "src/Api/Protocol/WorkerExit.cs";

    [Fact]
    public void The_documented_exit_codes_are_those_of_the_program() => GeneratedSection.Matches("docs/exit-codes.md", "exit-codes", Table());

    [Fact]
    public void Every_exit_code_has_a_meaning_in_the_source() => Assert.Equal(Enum.GetValues<WorkerExit>(), Members().Select(m => m.Exit));

    [Fact]
    public void No_exit_code_collides_with_the_shells_own() => Assert.All(Enum.GetValues<WorkerExit>(), exit => Assert.InRange((int)exit, 0, 125));

    private static string Table() => "| Code | Name | Meaning |\n|---|---|---|\n" + string.Concat(Members().Select(m => $"| {(int)m.Exit} | {Kebab(m.Exit)} | {m.Meaning} |\n"));

    private static IEnumerable<(WorkerExit Exit, string Meaning)> Members() => Member().Matches(RepoFiles.Read(Source))
        .Select(m => (Enum.Parse<WorkerExit>(m.Groups[2].Value), m.Groups[1].Value));

    private static string Kebab(WorkerExit exit) => WordStart().Replace(exit.ToString(), "-$0").ToLowerInvariant();

    [GeneratedRegex(@"<summary>([^<]*)</summary>\s+(\w+) = \d+,")]
    private static partial Regex Member();

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex WordStart();
}
