using Opt.Testing;
using Xunit;

namespace Opt.Layout.Chart;

/// <summary>The life of a release on an API server: install, upgrade, roll back, uninstall, with the real helm.</summary>
public sealed class ChartInstallTests
{
    [Fact]
    public async Task A_release_is_installed_upgraded_rolled_back_and_removed_but_the_definitions_stay()
    {
        await using var cluster = await InstalledCluster.StartAsync();

        var notes = (await cluster.DeployAsync()).Succeeded();
        var installed = await cluster.ObjectsAsync();
        Assert.Contains("kubectl -n opt-system rollout status deployment/opt-opt-operator", notes, StringComparison.Ordinal);
        Assert.Contains("deployment.apps/opt-opt-operator", installed);
        Assert.Equal("2", await ReplicasAsync(cluster));

        (await cluster.DeployAsync("--set", "replicas=1,networkPolicy.enabled=true")).Succeeded();
        Assert.Equal("1", await ReplicasAsync(cluster));
        Assert.Contains("networkpolicy.networking.k8s.io/opt-opt-operator", await cluster.ObjectsAsync());

        (await cluster.HelmAsync("rollback", "opt", "1", "--namespace", "opt-system")).Succeeded();
        Assert.Equal("2", await ReplicasAsync(cluster));
        Assert.Equal(installed, await cluster.ObjectsAsync());

        (await cluster.HelmAsync("uninstall", "opt", "--namespace", "opt-system")).Succeeded();
        Assert.Empty(await cluster.ObjectsAsync());
        (await cluster.KubectlAsync("get", "crd", "opttrainingjobs.training.opt-operator.io")).Succeeded();
    }

    [Fact]
    public async Task A_release_of_the_first_chart_is_upgraded_as_the_guide_says_keeps_its_jobs_and_can_go_back()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        (await cluster.HelmAsync("install", "opt", Repo.PathOf("tests", "charts", "opt-operator-0.0.1.tgz"), "--namespace", "opt-system", "--create-namespace")).Succeeded();
        var old = await cluster.ObjectsAsync();
        (await cluster.KubectlAsync(["apply", "-f", "-"], FirstJob)).Succeeded();
        var job = await UidAsync(cluster);

        (await cluster.KubectlAsync("apply", "--server-side", "--force-conflicts", "-f", Path.Combine(Helm.ChartFolder, "crds"))).Succeeded();
        (await cluster.DeployAsync()).Succeeded();

        Assert.Contains("opt-operator-0.1.0", (await cluster.HelmAsync("list", "--namespace", "opt-system")).Succeeded(), StringComparison.Ordinal);
        var upgraded = await cluster.ObjectsAsync();
        Assert.Contains("validatingwebhookconfiguration.admissionregistration.k8s.io/opt-opt-operator", upgraded.Except(old));
        Assert.Equal(job, await UidAsync(cluster));
        await using (var fresh = await InstalledCluster.StartAsync())
        {
            (await fresh.DeployAsync()).Succeeded();
            Assert.Equal(await fresh.ObjectsAsync(), upgraded);
        }

        (await cluster.HelmAsync("rollback", "opt", "1", "--namespace", "opt-system")).Succeeded();
        Assert.Equal(old, await cluster.ObjectsAsync());
        Assert.Equal(job, await UidAsync(cluster));
    }

    [Fact]
    public async Task The_definitions_are_upgraded_by_the_command_that_the_notes_give()
    {
        await using var cluster = await InstalledCluster.StartAsync();
        (await cluster.DeployAsync()).Succeeded();

        var applied = await cluster.KubectlAsync("apply", "--server-side", "--force-conflicts", "-f", Path.Combine(Helm.ChartFolder, "crds"));

        Assert.Contains("serverside-applied", applied.Succeeded(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_installation_with_a_mistaken_value_makes_no_object()
    {
        await using var cluster = await InstalledCluster.StartAsync();

        var refused = await cluster.DeployAsync("--set", "replica=3");

        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("replica", refused.Error, StringComparison.Ordinal);
        Assert.Empty(await cluster.ObjectsAsync());
    }

    [Theory]
    [MemberData(nameof(ChartRenderTests.Cases), MemberType = typeof(ChartRenderTests))]
    public async Task A_server_accepts_every_rendered_object_and_knows_every_field(string name)
    {
        await using var cluster = await InstalledCluster.StartAsync();
        foreach (var @namespace in new[] { "opt-system", "research", "production" }) (await cluster.KubectlAsync("create", "namespace", @namespace)).Succeeded();
        var manifest = Path.GetTempFileName();
        await File.WriteAllTextAsync(manifest, WithoutMonitors(RepoFiles.Read($"tests/golden/chart/{name}/rendered.yaml")), TestContext.Current.CancellationToken);

        var applied = await cluster.KubectlAsync("apply", "--server-side", "--validate=strict", "-f", manifest);

        Assert.DoesNotContain("unknown field", applied.Error, StringComparison.Ordinal);
        applied.Succeeded();
    }

    // With fields that the first definition had.
    private const string FirstJob = """
        apiVersion: training.opt-operator.io/v1alpha1
        kind: OptTrainingJob
        metadata: {name: opt-175b}
        spec:
          model: {preset: opt-175b}
          topology: {nodes: 124, spareNodes: 6}
          pod: {image: "registry.example.com/opt-trainer:1"}
          data: {train: [{path: pile/train}]}
          checkpoint: {store: {azureBlob: {account: optckpt, container: opt-175b, secretRef: {name: blob-credentials}}}}
        """;

    private static async Task<string> UidAsync(InstalledCluster cluster) => (await cluster.KubectlAsync("get", "otj", "opt-175b", "-o", "jsonpath={.metadata.uid}")).Succeeded();

    private static async Task<string> ReplicasAsync(InstalledCluster cluster) =>
        (await cluster.KubectlAsync("get", "deployment", "opt-opt-operator", "-n", "opt-system", "-o", "jsonpath={.spec.replicas}")).Succeeded();

    // Their kinds belong to the Prometheus operator and to cert-manager.
    private static string WithoutMonitors(string manifest) =>
        string.Join("---\n", manifest.Split("---\n").Where(d => !d.Contains("monitoring.coreos.com", StringComparison.Ordinal) && !d.Contains("cert-manager.io/v1", StringComparison.Ordinal)));
}
