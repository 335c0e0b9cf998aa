using System.Diagnostics;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.ApiServer.Http;
using Opt.Testing;
using Xunit;

namespace Opt.LocalCluster.Tests.ApiServer;

/// <summary>kubectl and Helm, the real ones, against the embedded server: what a user types works and reads as on any cluster.</summary>
public sealed class KubectlTests : IAsyncLifetime
{
    private static readonly string Tools = Repo.PathOf(".cache", "tools");
    private readonly string _home = Directory.CreateTempSubdirectory("opt-kubectl-").FullName;
    private Cluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists(Path.Combine(Tools, "kubectl"))) throw new FileNotFoundException($"kubectl is not in {Tools}. Run eng/helm.sh; `make test` does.");
        _cluster = await Cluster.StartAsync(new ClusterOptions { Http = new ApiHostOptions() }, TimeProvider.System, CancellationToken.None);
        Kubeconfig.Write(Path.Combine(_home, "config"), _cluster.AdminKubeconfig());
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    [Fact]
    public async Task Objects_are_created_shown_changed_and_deleted()
    {
        var file = await FileAsync("set.yaml", """
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: web, labels: {app: web}}
            spec:
              serviceName: web
              replicas: 2
              podManagementPolicy: Parallel
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec: {containers: [{name: c, image: "example.com/c:1"}]}
            """);

        Assert.Equal("statefulset.apps/web created\n", await KubectlAsync("apply", "-f", file));
        Assert.Equal("statefulset.apps/web unchanged\n", await KubectlAsync("apply", "-f", file));
        Assert.Equal("statefulset.apps/web scaled\n", await KubectlAsync("scale", "statefulset/web", "--replicas=3"));
        Assert.Matches("^NAME +READY +AGE +CONTAINERS +IMAGES\nweb +0/3 +[0-9]+s +c +example.com/c:1\n$", await KubectlAsync("get", "sts", "-o", "wide"));
        Assert.Equal("3", await KubectlAsync("get", "sts", "web", "-o", "jsonpath={.spec.replicas}"));
        await KubectlAsync("wait", "--for=create", "pod/web-2", "--timeout=100s");
        Assert.Equal("web-0 web-1 web-2", await KubectlAsync("get", "pods", "--sort-by=.metadata.name", "-o", "jsonpath={.items[*].metadata.name}"));
        Assert.Contains("Replicas:           3 desired", await KubectlAsync("describe", "sts", "web"), StringComparison.Ordinal);
        Assert.Contains("no nodes available to schedule pods", await KubectlAsync("describe", "pod", "web-0"), StringComparison.Ordinal);
        Assert.Equal("statefulset.apps/web labeled\n", await KubectlAsync("label", "sts", "web", "x=y"));
        Assert.Equal("statefulset.apps/web annotated\n", await KubectlAsync("annotate", "sts", "web", "a=b"));
        Assert.Equal("statefulset.apps/web image updated\n", await KubectlAsync("set", "image", "sts/web", "c=example.com/c:2"));
        Assert.Equal("statefulset.apps/web patched\n", await KubectlAsync("patch", "sts", "web", "--type=json", "-p", """[{"op":"replace","path":"/spec/replicas","value":1}]"""));
        Assert.Contains("statefulset.apps \"web\" deleted", await KubectlAsync("delete", "sts", "web", "--cascade=foreground", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("", await KubectlAsync("get", "pods", "-o", "name"));
    }

    [Fact]
    public async Task A_typo_is_refused_and_an_unknown_object_is_not_found()
    {
        var file = await FileAsync("typo.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndat: {a: b}\n");

        Assert.Contains("unknown field \"dat\"", await FailAsync("apply", "-f", file), StringComparison.Ordinal);
        Assert.Contains("strict decoding error: unknown field \"dat\"", await FailAsync("create", "--dry-run=server", "-f", file), StringComparison.Ordinal);
        Assert.Equal("Error from server (NotFound): configmaps \"x\" not found\n", await FailAsync("get", "cm", "x"));
    }

    [Fact]
    public async Task Our_own_resource_is_explained_applied_and_guarded()
    {
        await KubectlAsync("apply", "--server-side", "-f", Repo.PathOf("crds"));
        await KubectlAsync("wait", "--for=condition=Established", "crd/opttrainingjobs.training.opt-operator.io", "--timeout=100s");
        Assert.Equal("", await KubectlAsync("get", "otj"));   // also makes kubectl forget the discovery it has cached
        Assert.Contains("model", await KubectlAsync("explain", "otj.spec"), StringComparison.Ordinal);
        Assert.Contains("KIND:       OptTrainingJob", await KubectlAsync("explain", "otj"), StringComparison.Ordinal);

        Assert.Contains("opt-tiny created", await KubectlAsync("apply", "-f", Repo.PathOf("examples", "opt-tiny.yaml")), StringComparison.Ordinal);
        Assert.Contains("opt-tiny unchanged", await KubectlAsync("apply", "-f", Repo.PathOf("examples", "opt-tiny.yaml")), StringComparison.Ordinal);
        Assert.StartsWith("NAME", await KubectlAsync("get", "otj"), StringComparison.Ordinal);
        Assert.Contains("is immutable", await FailAsync("patch", "otj", "opt-tiny", "--type=merge", "-p", """{"spec":{"model":{"heads":8}}}"""), StringComparison.Ordinal);
        Assert.Contains("opt-tiny", await KubectlAsync("describe", "otj", "opt-tiny"), StringComparison.Ordinal);
        Assert.Contains("deleted", await KubectlAsync("delete", "otj", "opt-tiny"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everyday_commands_work()
    {
        Assert.Contains("configmap/a created", await KubectlAsync("create", "configmap", "a", "--from-literal=k=v"), StringComparison.Ordinal);
        Assert.Contains("secret/s created", await KubectlAsync("create", "secret", "generic", "s", "--from-literal=k=v"), StringComparison.Ordinal);
        Assert.Contains("serviceaccount/sa created", await KubectlAsync("create", "serviceaccount", "sa"), StringComparison.Ordinal);
        Assert.Equal("yes\n", await KubectlAsync("auth", "can-i", "create", "pods"));
        Assert.Contains("admin", await KubectlAsync("auth", "whoami"), StringComparison.Ordinal);
        Assert.Equal(2, (await KubectlAsync("create", "token", "sa")).Count(c => c == '.'));
        Assert.Matches(@"statefulsets +sts +apps/v1 +true +StatefulSet\n", await KubectlAsync("api-resources"));
        Assert.Contains("Server Version: v1.36.2", await KubectlAsync("version"), StringComparison.Ordinal);
        Assert.Contains("kubernetes", await KubectlAsync("get", "all"), StringComparison.Ordinal);
        Assert.Equal("Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label selector \"\", field selector \"foo=bar\": field label not supported: foo\n", await FailAsync("get", "pods", "--field-selector=foo=bar"));
        Assert.Matches(@"^NAME +VALUE +GLOBAL-DEFAULT +AGE +PREEMPTIONPOLICY\nsystem-cluster-critical +2000000000 +false +\S+ +PreemptLowerPriority\nsystem-node-critical +2000001000 +false ", await KubectlAsync("get", "priorityclasses"));
        Assert.Contains("is running at", await KubectlAsync("cluster-info"), StringComparison.Ordinal);
        Assert.Contains("deployment.apps/d created", await KubectlAsync("create", "deployment", "d", "--image=example.com/d:1"), StringComparison.Ordinal);
        Assert.Contains("data:", await KubectlAsync("get", "cm", "a", "-o", "yaml"), StringComparison.Ordinal);
        Assert.Equal("namespace/n created\n", await KubectlAsync("create", "namespace", "n"));
        Assert.Contains("namespace \"n\" deleted", await KubectlAsync("delete", "namespace", "n", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("default\nkube-node-lease\nkube-public\nkube-system\n", await KubectlAsync("get", "ns", "-o", "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}"));
    }

    [Fact]
    public async Task A_node_is_cordoned_drained_and_uncordoned()
    {
        await KubectlAsync("apply", "-f", await FileAsync("node.yaml", """
            apiVersion: v1
            kind: Node
            metadata: {name: n1}
            """));

        Assert.Equal("node/n1 cordoned\n", await KubectlAsync("cordon", "n1"));
        Assert.Contains("SchedulingDisabled", await KubectlAsync("get", "nodes"), StringComparison.Ordinal);
        Assert.Contains("node/n1 drained", await KubectlAsync("drain", "n1", "--timeout=100s"), StringComparison.Ordinal);
        Assert.Equal("node/n1 uncordoned\n", await KubectlAsync("uncordon", "n1"));
        Assert.Contains("Taints:", await KubectlAsync("describe", "node", "n1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Helm_installs_upgrades_rolls_back_and_uninstalls_a_chart()
    {
        var chart = Directory.CreateDirectory(Path.Combine(_home, "chart", "templates")).Parent!.FullName;
        await File.WriteAllTextAsync(Path.Combine(chart, "Chart.yaml"), "apiVersion: v2\nname: demo\nversion: 0.1.0\n");
        await File.WriteAllTextAsync(Path.Combine(chart, "values.yaml"), "word: one\n");
        await File.WriteAllTextAsync(Path.Combine(chart, "templates", "map.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo}\ndata: {word: {{ .Values.word }}}\n");

        Assert.Contains("STATUS: deployed", await HelmAsync("install", "demo", chart, "-n", "apps", "--create-namespace"), StringComparison.Ordinal);
        Assert.Contains("REVISION: 2", await HelmAsync("upgrade", "demo", chart, "-n", "apps", "--set", "word=two"), StringComparison.Ordinal);
        Assert.Equal("two", await KubectlAsync("get", "cm", "demo", "-n", "apps", "-o", "jsonpath={.data.word}"));
        Assert.Contains("Rollback was a success", await HelmAsync("rollback", "demo", "1", "-n", "apps"), StringComparison.Ordinal);
        Assert.Equal("one", await KubectlAsync("get", "cm", "demo", "-n", "apps", "-o", "jsonpath={.data.word}"));
        Assert.Contains("uninstalled", await HelmAsync("uninstall", "demo", "-n", "apps"), StringComparison.Ordinal);
        Assert.Contains("NotFound", await FailAsync("get", "cm", "demo", "-n", "apps"), StringComparison.Ordinal);
    }

    private async Task<string> FileAsync(string name, string text)
    {
        var path = Path.Combine(_home, name);
        await File.WriteAllTextAsync(path, text);
        return path;
    }

    private async Task<string> KubectlAsync(params string[] arguments)
    {
        var (code, output, error) = await RunAsync("kubectl", arguments);
        Assert.True(code == 0, $"kubectl {string.Join(' ', arguments)}: {output}{error}");
        return output;
    }

    private async Task<string> FailAsync(params string[] arguments)
    {
        var (code, output, error) = await RunAsync("kubectl", arguments);
        Assert.True(code != 0, $"kubectl {string.Join(' ', arguments)} succeeded: {output}");
        return error;
    }

    private async Task<string> HelmAsync(params string[] arguments)
    {
        var (code, output, error) = await RunAsync("helm", arguments);
        Assert.True(code == 0, $"helm {string.Join(' ', arguments)}: {output}{error}");
        return output;
    }

    private async Task<(int Code, string Output, string Error)> RunAsync(string tool, string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Tools, tool), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["KUBECONFIG"] = Path.Combine(_home, "config");
        start.Environment["HOME"] = _home;
        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var (output, error) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
        await process.WaitForExitAsync(deadline.Token);
        return (process.ExitCode, await output, await error);
    }
}
