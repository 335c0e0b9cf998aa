using System.Text.Json.Nodes;
using Opt.Testing;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>The Helm chart installed as a user installs it, on a local cluster that enforces RBAC: its own pods do the work.</summary>
public sealed class ChartTests : IAsyncLifetime
{
    // Pods of the local cluster share the machine's network: each operator listens on its own address.
    private const string Values = """
        extraArgs: ["--bind-address=$(POD_IP)", "--status-interval=1s"]
        extraEnv: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
        """;

    private ControlPlane _plane = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _plane = await ControlPlane.StartAsync(
            Cancelled, "--nodes", "3", "--accelerators-per-node", "1", "--authorization",
            "--image", $"opt-operator={Repo.PathOf("bin", "opt-operator")}", "--image", $"opt-trainer:local={Repo.PathOf("bin", "opt-trainer")}",
            "--host-path", $"/var/lib/opt/data={Repo.PathOf(".cache", "corpus")}", "--host-path", $"/var/lib/opt/checkpoints={Path.Combine(Path.GetTempPath(), "opt-chart-test")}");
    }

    public async ValueTask DisposeAsync()
    {
        await _plane.DisposeAsync();
        if (Directory.Exists(Path.Combine(Path.GetTempPath(), "opt-chart-test"))) Directory.Delete(Path.Combine(Path.GetTempPath(), "opt-chart-test"), recursive: true);
    }

    [Fact]
    public async Task The_charts_own_operator_pods_train_a_job_with_their_service_account_alone()
    {
        Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "opt-chart-test"));
        var values = await _plane.FileAsync("values.yaml", Values);
        Assert.Contains("STATUS: deployed", await HelmAsync("install", "opt-operator", Repo.PathOf("charts", "opt-operator"), "-n", "opt-operator", "--create-namespace", "-f", values, "--wait", "--timeout", "100s"), StringComparison.Ordinal);
        var pods = JsonNode.Parse(await KubectlAsync("get", "pods", "-n", "opt-operator", "-o", "json"))!["items"]!.AsArray();
        Assert.Equal(2, pods.Count);
        Assert.All(pods, pod => Assert.Equal(("Running", "opt-operator"), ((string)pod!["status"]!["phase"]!, (string)pod["spec"]!["serviceAccountName"]!)));

        var tested = await HelmAsync("test", "opt-operator", "-n", "opt-operator", "--timeout", "100s", "--logs");
        Assert.Matches(@"ok    .+ leads\s+ok    the webhook refuses a bad job", tested);

        var bad = await _plane.FileAsync("bad.yaml", TinyManifest.WithSteps(steps: 20, checkpointEvery: 10).Replace("path: kjv-train", "path: ../kjv", StringComparison.Ordinal));
        Assert.Contains("spec.data.train[0].path: \"../kjv\" is not allowed", (await _plane.TryAsync("kubectl", Cancelled, "apply", "-f", bad)).Error, StringComparison.Ordinal);

        // Agents, probes and the copies that nodes hold for each other over TLS, as a job asks for it.
        var manifest = await _plane.FileAsync("job.yaml", TinyManifest.WithSteps(steps: 100_000, checkpointEvery: 50, memoryEvery: 20, sequences: 2).Replace("    device: cpu\n", "    device: cpu\n    network: {tls: true}\n", StringComparison.Ordinal));
        await KubectlAsync("apply", "-f", manifest);
        await _plane.EventuallyAsync("steps are taken", async () => long.Parse("0" + await KubectlAsync("get", "otj", "opt-tiny", "-o", "jsonpath={.status.step}"), System.Globalization.CultureInfo.InvariantCulture) >= 2, Cancelled, seconds: 120);
        Assert.Equal("Running", await KubectlAsync("get", "otj", "opt-tiny", "-o", "jsonpath={.status.phase}"));
        await KubectlAsync("wait", "--for=condition=Running", "otj/opt-tiny", "--timeout=100s");
        Assert.Equal("https https", await KubectlAsync("get", "pods", "-l", "training.opt-operator.io/job=opt-tiny", "-o", @"jsonpath={.items[*].metadata.labels.training\.opt-operator\.io/agent-scheme}"));
        var leader = await KubectlAsync("get", "lease", "opt-operator", "-n", "opt-operator", "-o", "jsonpath={.spec.holderIdentity}");
        Assert.Contains(pods, pod => leader.StartsWith((string)pod!["metadata"]!["name"]!, StringComparison.Ordinal));

        // The operator may do what it does and no more.
        Assert.Equal("no\n", (await _plane.TryAsync("kubectl", Cancelled, "auth", "can-i", "list", "secrets", "-A", "--as=system:serviceaccount:opt-operator:opt-operator")).Output);

        await KubectlAsync("delete", "otj", "opt-tiny", "--timeout=100s");
        await HelmAsync("uninstall", "opt-operator", "-n", "opt-operator", "--wait", "--timeout", "100s");
        await _plane.EventuallyAsync("the operator's pods are gone", async () => await KubectlAsync("get", "pods", "-n", "opt-operator", "-o", "name") == "", Cancelled);
        Assert.Equal("", await KubectlAsync("get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/instance=opt-operator", "-o", "name"));
    }

    private Task<string> HelmAsync(params string[] arguments) => _plane.RunAsync("helm", Cancelled, arguments);

    private Task<string> KubectlAsync(params string[] arguments) => _plane.KubectlAsync(Cancelled, arguments);
}
