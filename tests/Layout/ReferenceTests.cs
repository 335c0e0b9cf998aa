using System.Xml.Linq;
using Opt.Testing;
using Xunit;

namespace Opt.Layout;

public sealed class ReferenceTests
{
    public static TheoryData<string> Projects => [.. ReferenceRules.Projects.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void An_assembly_references_only_what_the_layout_allows(string project)
    {
        var (assembly, mayReference) = ReferenceRules.Projects[project];
        var allowed = mayReference.Select(p => ReferenceRules.Projects[p].Assembly);

        Assert.Empty(AssemblyMetadata.Of(assembly).Assemblies.Where(ReferenceRules.IsOurs).Except(allowed));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_file_references_only_what_the_layout_allows(string project)
    {
        var file = XDocument.Load(Repo.PathOf("src", project, $"{project}.csproj"));
        var referenced = file.Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!));

        Assert.Empty(referenced.Except(ReferenceRules.Projects[project].MayReference));
    }

    [Fact]
    public void Every_project_under_src_has_a_rule_and_every_rule_a_project()
    {
        var folders = RepoFiles.Under("src", ".csproj").Select(p => Path.GetFileNameWithoutExtension(p));

        Assert.Equal(ReferenceRules.Projects.Keys.Order(), folders.Order());
    }

    [Fact]
    public void The_local_cluster_learns_our_kinds_from_the_crds_alone()
    {
        var mentions = RepoFiles.Under("src/LocalCluster", ".cs").Where(p => RepoFiles.Read(p).Contains("using Opt.Api", StringComparison.Ordinal));

        Assert.Empty(mentions);
    }
}
