using System.Text.RegularExpressions;
using Opt.Testing;
using Xunit;

namespace Opt.Layout;

/// <summary>A part of a document between <c>&lt;!-- NAME --&gt;</c> and <c>&lt;!-- /NAME --&gt;</c> that is generated; <c>UPDATE_GOLDEN=1</c> rewrites it.</summary>
public static class GeneratedSection
{
    public static void Matches(string document, string name, string content)
    {
        var section = new Regex($"<!-- {name} -->.*<!-- /{name} -->", RegexOptions.Singleline);
        var text = RepoFiles.Read(document);
        Assert.True(section.IsMatch(text), $"{document} has no section between <!-- {name} --> and <!-- /{name} -->");

        var fresh = section.Replace(text, _ => $"<!-- {name} -->\n{content}<!-- /{name} -->");
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1") File.WriteAllText(Repo.PathOf(document), fresh);
        else Assert.True(fresh == text, $"The section {name} of {document} is not what its source says. Run `make golden`, then read the diff.");
    }
}
