using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>The oldest and the newest kubectl that we support, at <c>opt-local up</c> with real pods and RBAC: everything works and reads as on any cluster.</summary>
public sealed class KubectlWalkThroughTests(KubectlWalkThroughTests.Fixture fixture) : IClassFixture<KubectlWalkThroughTests.Fixture>
{
    private static readonly string[] Versions = ["kubectl", "kubectl-1.32"];

    /// <summary>One cluster for the whole walk.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        public ControlPlane Plane { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Plane = await ControlPlane.StartAsync(
                CancellationToken.None, "--nodes", "2", "--accelerators-per-node", "2", "--image", "sh=/bin/sh", "--authorization", "--node-monitor-grace-period", "20s");
            await Plane.KubectlAsync(CancellationToken.None, "apply", "-f", Repo.PathOf("crds"));
        }

        public ValueTask DisposeAsync() => Plane.DisposeAsync();
    }

    [Fact]
    public async Task Everything_that_leaves_the_nodes_alone_works_at_the_same_time() => await Task.WhenAll(Versions.SelectMany(kubectl => (Task[])
    [
        new KubectlWalk(fixture.Plane, kubectl, "work").WorkloadsAsync(),
        new KubectlWalk(fixture.Plane, kubectl, "deploy").DeploymentsAsync(),
        new KubectlWalk(fixture.Plane, kubectl, "logs").LogsAsync(),
        new KubectlWalk(fixture.Plane, kubectl, "edit").EditsAsync(),
        new KubectlWalk(fixture.Plane, kubectl, "access").RightsAsync(),
    ]));

    [Fact]
    public async Task A_node_is_tainted_cordoned_drained_against_a_budget_and_uncordoned()
    {
        foreach (var kubectl in Versions) await new KubectlWalk(fixture.Plane, kubectl, "nodes").NodesAsync();
    }
}
