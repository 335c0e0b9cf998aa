using System.Text.RegularExpressions;
using Xunit;

namespace Opt.Layout;

public sealed partial class ReadmeTests
{
    [Fact]
    public void Every_make_target_that_the_documents_name_exists()
    {
        var targets = Target().Matches(RepoFiles.Read("Makefile")).Select(m => m.Groups[1].Value);
        var documents = RepoFiles.Under("docs", ".md").Append("README.md");
        var named = documents.SelectMany(d => NamedTarget().Matches(RepoFiles.Read(d)).Select(m => m.Groups[1].Value));

        Assert.Empty(named.Except(targets));
    }

    [Fact]
    public void Every_script_behind_a_make_target_exists_and_is_executable()
    {
        var scripts = Script().Matches(RepoFiles.Read("Makefile")).Select(m => m.Value).Distinct();

        Assert.All(scripts, script => Assert.True(IsExecutable(script), $"{script}, named in the Makefile, is not an executable file"));
    }

    [Fact]
    public void Every_relative_link_in_the_documents_leads_to_a_file()
    {
        var dead = from document in RepoFiles.All.Where(p => p.EndsWith(".md", StringComparison.Ordinal))
                   from link in Link().Matches(RepoFiles.Read(document))
                   let target = link.Groups[1].Value.Split('#')[0]
                   where target.Length > 0 && !target.Contains("://", StringComparison.Ordinal)
                   let path = Path.Combine(Path.GetDirectoryName(Opt.Testing.Repo.PathOf(document))!, target)
                   where !File.Exists(path) && !Directory.Exists(path)
                   select $"{document}: {target}";

        Assert.Empty(dead);
    }

    private static bool IsExecutable(string path)
    {
        var file = new FileInfo(Opt.Testing.Repo.PathOf(path));
        return file.Exists && file.UnixFileMode.HasFlag(UnixFileMode.UserExecute);
    }

    [GeneratedRegex("^([a-z][a-z0-9-]*):.*##", RegexOptions.Multiline)]
    private static partial Regex Target();

    // In code only: "make sure" in a sentence is no target.
    [GeneratedRegex("(?:`|^ *\\$? *)make ([a-z][a-z0-9-]*)", RegexOptions.Multiline)]
    private static partial Regex NamedTarget();

    [GeneratedRegex("(?<=[@\\s])eng/[a-z-]+\\.sh")]
    private static partial Regex Script();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
