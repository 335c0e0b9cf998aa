using Opt.Testing;
using Xunit;

namespace Opt.Layout;

public sealed class CrdTests
{
    private const string ChartFolder = "charts/opt-operator/crds";

    [Fact]
    public void The_chart_ships_exactly_the_definitions_in_crds()
    {
        var source = RepoFiles.Under("crds", ".yaml").ToDictionary(p => Path.GetFileName(p), p => File.ReadAllText(Repo.PathOf(p)));
        var chart = RepoFiles.Under(ChartFolder, ".yaml").ToDictionary(p => Path.GetFileName(p), p => File.ReadAllText(Repo.PathOf(p)));

        Assert.NotEmpty(source);
        Assert.Equal(source, chart);
    }

    [Fact]
    public void A_definition_stays_below_the_size_that_server_and_clients_accept() =>
        Assert.All(RepoFiles.Under("crds", ".yaml"), p => Assert.InRange(new FileInfo(Repo.PathOf(p)).Length, 1, 256 * 1024));
}
