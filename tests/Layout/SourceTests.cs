using System.Text.RegularExpressions;
using Opt.Testing;
using Xunit;

namespace Opt.Layout;

public sealed partial class SourceTests
{
    private const int MaxLines = 400;
    private const string AllowList = "tests/Layout/long-files.txt";

    private static readonly string[] Binary = [".png", ".jpg", ".gif", ".ico", ".woff2", ".bin", ".idx", ".gz", ".zip", ".tgz", ".safetensors"];

    [Fact]
    public void A_source_file_is_short_or_has_a_reason_on_the_list()
    {
        var tooLong = RepoFiles.Under("src", ".cs").Concat(RepoFiles.Under("src", ".cpp"))
            .Where(p => File.ReadLines(Repo.PathOf(p)).Count() > MaxLines);

        Assert.Empty(tooLong.Except(Allowed().Keys));
    }

    [Fact]
    public void The_list_of_long_files_names_only_long_files_and_gives_reasons() => Assert.All(Allowed(), entry =>
    {
        Assert.True(File.Exists(Repo.PathOf(entry.Key)), $"{entry.Key} is gone: remove it from {AllowList}");
        Assert.True(File.ReadLines(Repo.PathOf(entry.Key)).Count() > MaxLines, $"{entry.Key} is short now: remove it from {AllowList}");
        Assert.True(entry.Value.Length >= 20, $"{entry.Key} needs a reason in {AllowList}");
    });

    [Fact]
    public void No_file_names_a_folder_of_somebodys_machine()
    {
        var text = RepoFiles.All.Where(p => !Binary.Contains(Path.GetExtension(p)));

        Assert.DoesNotContain(text, p => MachinePath().IsMatch(RepoFiles.Read(p)));
    }

    [Theory]
    [InlineData("/ho" + "me/ada/src")]
    [InlineData("see /ro" + "ot/.nuget")]
    [InlineData("C:\\Us" + "ers\\ada")]
    public void The_pattern_recognises_folders_of_a_machine(string text) => Assert.Matches(MachinePath(), text);

    [Theory]
    [InlineData("https://example.com/home/page")]
    [InlineData("path/work/tree")]
    [InlineData("/var/lib/opt/data")]
    public void The_pattern_leaves_other_paths_alone(string text) => Assert.DoesNotMatch(MachinePath(), text);

    [Fact]
    public void No_assembly_of_ours_holds_the_path_it_was_built_in() => Assert.All(ReferenceRules.Projects.Values, project =>
    {
        var bytes = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, project.Assembly + ".dll"));
        Assert.Equal(-1, bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(Repo.PathOf("src"))));
        Assert.Equal(-1, bytes.AsSpan().IndexOf(System.Text.Encoding.Unicode.GetBytes(Repo.PathOf("src"))));
    });

    private static Dictionary<string, string> Allowed() => RepoFiles.Read(AllowList).Split('\n')
        .Where(line => line.Contains(": ", StringComparison.Ordinal) && !line.StartsWith('#'))
        .Select(line => line.Split(": ", 2))
        .ToDictionary(parts => parts[0], parts => parts[1].Trim());

    // Home folders, and the checkout folder of common runners. The string is split so that this file does not match itself.
    [GeneratedRegex("(?<![\\w.])(/ho" + "me/\\w|/ro" + "ot/|/wo" + "rk/|C:\\\\Us" + "ers\\\\)")]
    private static partial Regex MachinePath();
}
