using System.Text.Json.Nodes;
using Opt.Kubernetes;
using Opt.KubectlOpt.Cli;
using Opt.Operator.Tests.Live;
using Opt.Testing;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

/// <summary>The plugin against an API server: in this process, and as <c>kubectl opt</c>.</summary>
public sealed class PluginTests(SampleCluster sample) : IClassFixture<SampleCluster>
{
    private readonly LiveCluster _cluster = sample.Cluster;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_view_of_a_job_says_what_is_asked_of_it()
    {
        var list = await SaidAsync("status", "-A");
        var detail = await SaidAsync("status", "opt-tiny");
        var logbook = await SaidAsync("logbook");   // the only job needs no name
        var lineage = await SaidAsync("lineage", "opt-tiny");
        var checkpoints = await SaidAsync("checkpoints", "opt-tiny");
        var nodes = await SaidAsync("nodes", "opt-tiny");
        var goodput = await SaidAsync("goodput", "opt-tiny");

        Assert.Matches(@"NAMESPACE +NAME +PHASE +STEP +LOSS", list);
        Assert.Matches(@"default +opt-tiny +Running +120/300 +6\.4321 +5120 +2/2 +3 +2 +90\.0% +120", list);
        Assert.Contains("40.0%", detail, StringComparison.Ordinal);
        Assert.Contains("36s left at this speed", detail, StringComparison.Ordinal);
        Assert.Contains("StoreReady is False: Unreachable: the store did not answer", detail, StringComparison.Ordinal);
        Assert.Equal(5, logbook.TrimEnd().Split('\n').Length);
        Assert.Matches(@"3 +0 +2 +step 100 of epoch 2 +2 +\S+ +running at step 120 +WorkerFailed +rank 1 ended with signal 9", lineage);
        Assert.Matches(@"100 +2 +healthy +\S+ +12\.4MiB +3 +/checkpoints/2-100", checkpoints);
        Assert.Matches(@"node-1 +opt-tiny-0 +spare", nodes);
        Assert.Matches(@"node-9 .*Quarantined\(EccErrors\)", nodes);
        Assert.Matches(@"productive +15m +90\.0% +█{27}░{3}", goodput);
    }

    [Fact]
    public async Task A_decision_is_explained_by_its_id_or_epoch()
    {
        var line = (await SaidAsync("logbook", "opt-tiny", "--search", "SIGNAL")).Split('\n')[1];
        var id = line[..8];

        var byId = await SaidAsync("explain", "opt-tiny", id);
        var byEpoch = await SaidAsync("explain", "opt-tiny", "2");
        var unknown = await RunAsync("explain", "opt-tiny", "zzzz");
        var json = JsonNode.Parse(await SaidAsync("explain", "opt-tiny", id, "-o", "json"))!;

        Assert.Contains("WorkerFailed (cause-3)", byId, StringComparison.Ordinal);
        Assert.Contains("relaunchInPlace: 1 in its window", byId, StringComparison.Ordinal);
        Assert.Contains("NodeLost (cause-2)", byEpoch, StringComparison.Ordinal);
        Assert.Equal((id, "cause-3"), ((string?)json["decision"]!["id"], (string?)json["plan"]!["cause"]!["id"]));
        Assert.Equal((ExitCodes.Failed, "error: opt-tiny has no decision \"zzzz\"; kubectl opt logbook opt-tiny lists them\n"), (unknown.ExitCode, unknown.Error));
    }

    [Fact]
    public async Task The_logbook_is_whole_where_the_status_holds_its_end_alone()
    {
        var uid = await _cluster.KubectlAsync("get", "otj", "opt-tiny", "-o", "jsonpath={.metadata.uid}");
        var lines = string.Concat(Enumerable.Range(0, 30).Select(i => $"    {{\"time\":\"2025-12-31T23:{i:00}:00Z\",\"epoch\":1,\"step\":{i},\"actor\":\"user\",\"what\":\"edit {i}\",\"why\":\"generation {i}\"}}\n"));
        await _cluster.KubectlAsync("apply", "-f", _cluster.Write("page.yaml", $"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: opt-tiny-logbook-1\n  labels: {{training.opt-operator.io/job: opt-tiny, training.opt-operator.io/logbook: \"1\"}}\n  ownerReferences: [{{apiVersion: training.opt-operator.io/v1alpha1, kind: OptTrainingJob, name: opt-tiny, uid: {uid}}}]\ndata:\n  entries.jsonl: |\n{lines}"));
        var whole = await SaidAsync("logbook", "opt-tiny");
        var found = await SaidAsync("logbook", "opt-tiny", "--search", "edit 7");
        var explained = await SaidAsync("explain", "opt-tiny", found.Split('\n')[1][..8]);
        var lineage = await SaidAsync("lineage", "opt-tiny");
        await _cluster.KubectlAsync("delete", "configmap", "opt-tiny-logbook-1");

        Assert.Equal(1 + 30 + 4, whole.TrimEnd().Split('\n').Length);
        Assert.Matches(@"(?s)edit 0 .*edit 29 .*launched epoch 1 .*launched epoch 3 ", whole);
        Assert.Contains("generation 7", explained, StringComparison.Ordinal);
        Assert.Equal(4, lineage.TrimEnd().Split('\n').Length);
    }

    [Fact]
    public async Task Json_and_yaml_hold_the_object_as_it_is()
    {
        var json = JsonNode.Parse(await SaidAsync("status", "opt-tiny", "-o", "json"))!;
        var yaml = Opt.Api.Yaml.Parse(await SaidAsync("status", "opt-tiny", "-o", "yaml"))[0];
        var entries = JsonNode.Parse(await SaidAsync("logbook", "opt-tiny", "-o", "json"))!;

        Assert.Equal(6.4321, (double)json["status"]!["loss"]!);
        Assert.True(JsonNode.DeepEquals(json["spec"], yaml["spec"]), "YAML and JSON differ");
        Assert.Equal(4, entries["items"]!.AsArray().Count);
    }

    [Fact]
    public async Task Suspend_and_resume_change_the_spec_and_a_dry_run_does_not()
    {
        Assert.Equal("opttrainingjob.training.opt-operator.io/opt-tiny suspended (server dry run)\n", await SaidAsync("suspend", "opt-tiny", "--dry-run"));
        Assert.Equal("", await FieldAsync("{.spec.suspend}", whenFalse: ""));
        Assert.Equal("opttrainingjob.training.opt-operator.io/opt-tiny suspended\n", await SaidAsync("suspend", "opt-tiny"));
        Assert.Equal("true", await FieldAsync("{.spec.suspend}"));
        Assert.Equal("opttrainingjob.training.opt-operator.io/opt-tiny already suspended\n", await SaidAsync("suspend", "opt-tiny"));
        Assert.Equal((1, "", "error: opt-tiny is suspended, and nobody would answer; kubectl opt resume opt-tiny first\n"), await RunAsync("checkpoint-now", "opt-tiny"));
        await SaidAsync("resume", "opt-tiny");
        Assert.Equal("", await FieldAsync("{.spec.suspend}", whenFalse: ""));
    }

    [Fact]
    public async Task A_request_is_annotated_and_its_answer_waited_for()
    {
        var asking = RunAsync("rollback", "opt-tiny", "--to", "healthy");
        var value = "";
        while (value.Length == 0) value = await FieldAsync(@"{.metadata.annotations.request\.training\.opt-operator\.io/rollback}");
        var parts = value.Split(' ');
        await _cluster.KubectlAsync("patch", "otj", "opt-tiny", "--subresource=status", "--type=merge", "-p", "{\"status\":{\"handledRequests\":[{\"request\":\"rollback\",\"id\":\"" + parts[0] + "\",\"at\":\"2026-01-01T00:00:00Z\",\"answer\":\"rolls back to step 100\"}]}}");

        Assert.Equal("100", parts[1]);
        if ((await FieldAsync("{.status.handledRequests[0].answer}")).Length == 0) return;   // the definition does not have the field yet
        var (exitCode, output, error) = await asking;
        Assert.Equal((0, ""), (exitCode, error));
        Assert.EndsWith("rolls back to step 100\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pause_is_asked_for_with_its_length()
    {
        var (exitCode, output, error) = await RunAsync("pause", "opt-tiny", "--for", "30m", "--wait=false");
        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("pause requested", output, StringComparison.Ordinal);
        Assert.EndsWith(" 1800s", await FieldAsync(@"{.metadata.annotations.request\.training\.opt-operator\.io/pause}"), StringComparison.Ordinal);
        Assert.NotEqual(0, (await RunAsync("pause", "opt-tiny", "--for", "soon")).ExitCode);
    }

    [Fact]
    public async Task Without_an_answer_the_request_stands_and_the_exit_code_says_so()
    {
        var (exitCode, _, error) = await RunAsync("checkpoint-now", "opt-tiny", "--timeout", "1s");

        Assert.Equal(ExitCodes.NotAnswered, exitCode);
        Assert.Contains("has not answered within 1s", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_is_quarantined_and_released()
    {
        await SaidAsync("quarantine", "node-1", "--reason", "FanNoise");
        var marked = await _cluster.KubectlAsync("get", "node", "node-1", "-o", @"jsonpath={.metadata.labels.training\.opt-operator\.io/quarantined} {.spec.unschedulable}");
        await SaidAsync("release", "node-1");
        var back = await _cluster.KubectlAsync("get", "node", "node-1", "-o", @"jsonpath={.metadata.labels.training\.opt-operator\.io/quarantined}{.spec.unschedulable}{.metadata.annotations.training\.opt-operator\.io/quarantine}");
        var (exitCode, _, error) = await RunAsync("release", "node-1");

        Assert.Equal("FanNoise true", marked);
        Assert.Equal("", back);
        Assert.Equal((1, "error: node/node-1 is not quarantined\n"), (exitCode, error));
    }

    [Fact]
    public async Task A_release_takes_the_taint_of_a_quarantine_along_and_no_other()
    {
        const string Taints = "{range .spec.taints[*]}{.key}={.value}:{.effect} {end}";
        await SaidAsync("quarantine", "node-1", "--reason", "FanNoise");
        await _cluster.KubectlAsync("taint", "node", "node-1", "training.opt-operator.io/quarantined=FanNoise:NoExecute", "team=a:PreferNoSchedule");
        await SaidAsync("release", "node-1", "--dry-run");
        var before = await _cluster.KubectlAsync("get", "node", "node-1", "-o", $"jsonpath={Taints}");
        await SaidAsync("release", "node-1");
        var after = await _cluster.KubectlAsync("get", "node", "node-1", "-o", $"jsonpath={Taints}");
        await _cluster.KubectlAsync("taint", "node", "node-1", "team-");

        Assert.Contains("training.opt-operator.io/quarantined=FanNoise:NoExecute", before, StringComparison.Ordinal);
        Assert.Contains("team=a:PreferNoSchedule", after, StringComparison.Ordinal);
        Assert.DoesNotContain("training.opt-operator.io", after, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_watch_shows_each_change_and_ends_with_the_job()
    {
        var watching = RunAsync("status", "opt-tiny", "-w");
        await PhaseAsync("Recovering");
        await PhaseAsync("Succeeded");

        var (exitCode, output, _) = await watching;
        await PhaseAsync("Running");   // as the other tests find it

        Assert.Equal(0, exitCode);
        Assert.Contains("Succeeded", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plot_is_an_image_with_the_interventions_on_it()
    {
        var steps = _cluster.Write("steps.jsonl", string.Concat(Enumerable.Range(1, 5000).Select(i => $"{{\"step\":{i},\"loss\":{(i == 3333 ? 99 : 10.0 - i / 1000.0).ToString(System.Globalization.CultureInfo.InvariantCulture)},\"learningRate\":0.001}}\n")));

        var svg = System.Xml.Linq.XDocument.Parse(await SaidAsync("plot", "opt-tiny", "--steps", steps, "--signal", "loss"));

        var titles = svg.Descendants().Where(e => e.Name.LocalName == "title").Select(e => e.Value);
        Assert.Contains("step 60: quarantined node-9: EccErrors: two in a minute", titles);
        var points = svg.Descendants().Single(e => e.Name.LocalName == "polyline").Attribute("points")!.Value.Split(' ');
        Assert.InRange(points.Length, 900, 2000);
        Assert.Contains(points, p => double.Parse(p.Split(',')[1], System.Globalization.CultureInfo.InvariantCulture) < 60);   // the spike survives thinning
    }

    [Theory]
    [InlineData(2, "--output", "status", "opt-tiny", "-o", "xml")]
    [InlineData(2, "error: unknown command \"stattus\" for \"kubectl opt\"\nSee 'kubectl opt --help' for usage.", "stattus")]
    [InlineData(2, "--timeout: \"soon\" is not allowed", "rollback", "opt-tiny", "--to", "healthy", "--timeout", "soon")]
    [InlineData(2, "Unrecognized", "status", "opt-tiny", "--frobnicate")]
    [InlineData(2, "Unrecognized option '--frobnicate'", "status", "--frobnicate")]
    [InlineData(2, "--to", "rollback", "opt-tiny", "--to", "yesterday")]
    [InlineData(2, "--reason", "quarantine", "node-1", "--reason", "two words")]
    [InlineData(1, "not found", "status", "nobody")]
    [InlineData(1, "no-such-file", "status", "--kubeconfig", "no-such-file")]
    [InlineData(2, "--steps FILE", "plot", "opt-tiny")]
    public async Task A_mistake_is_named_and_has_its_exit_code(int expected, string named, params string[] arguments)
    {
        var (exitCode, output, error) = await RunAsync(arguments);

        Assert.Equal(expected, exitCode);
        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.Empty(output);
    }

    [Fact]
    public async Task It_is_a_plugin_of_the_real_kubectl_and_kubectl_completes_it()
    {
        var folder = Path.GetDirectoryName(_cluster.Write("path/kubectl_complete-opt", await SaidAsync("completion")))!;
        await LiveCluster.RunAsync("chmod", ["+x", Path.Combine(folder, "kubectl_complete-opt")], []);
        File.CreateSymbolicLink(Path.Combine(folder, "kubectl-opt"), Repo.PathOf("artifacts", "bin", "KubectlOpt", "release", "kubectl-opt"));
        Dictionary<string, string> environment = new() { ["KUBECONFIG"] = _cluster.Kubeconfig, ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}" };
        var kubectl = Repo.PathOf(".cache", "tools", "kubectl");

        var status = await LiveCluster.RunAsync(kubectl, ["opt", "status", "opt-tiny", "-o", "wide"], environment);
        var help = await LiveCluster.RunAsync(kubectl, ["opt", "--help"], environment);
        var completed = await LiveCluster.RunAsync(kubectl, ["__complete", "opt", "logbook", "opt"], environment);

        Assert.True(status.ExitCode == 0, status.Error);
        Assert.Contains("opt-tiny", status.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("opt-175b", help.Output, StringComparison.Ordinal);   // a line a command; examples come with each command's own help
        Assert.All(["status", "logbook", "lineage", "checkpoints", "nodes", "goodput", "explain", "plot", "suspend", "resume", "checkpoint-now", "rollback", "quarantine", "release", "Exit codes"], verb => Assert.Contains(verb, help.Output, StringComparison.Ordinal));
        Assert.Contains("opt-tiny", completed.Output, StringComparison.Ordinal);
    }

    private Task<string> PhaseAsync(string phase) => _cluster.KubectlAsync("patch", "otj", "opt-tiny", "--subresource=status", "--type=merge", "-p", "{\"status\":{\"phase\":\"" + phase + "\"}}");

    private async Task<string> FieldAsync(string path, string whenFalse = "") => await _cluster.KubectlAsync("get", "otj", "opt-tiny", "-o", $"jsonpath={path}") is var value && value == "false" ? whenFalse : value;

    [Fact]
    public async Task Checkpoint_objects_are_listed_by_kubectl_and_by_the_plugin()
    {
        await _cluster.KubectlAsync("apply", "-f", _cluster.Write("checkpoint.yaml", "apiVersion: training.opt-operator.io/v1alpha1\nkind: OptCheckpoint\nmetadata: {name: opt-tiny-000000120-abc, labels: {training.opt-operator.io/job: opt-tiny}}\n"));
        await _cluster.KubectlAsync("patch", "optckpt", "opt-tiny-000000120-abc", "--subresource=status", "--type=merge", "-p", """
            {"status": {"job": "opt-tiny", "step": 120, "tokens": 122880, "epoch": 3, "entry": 9, "manifestDigest": "abc", "bytes": 13000000, "size": "12Mi", "committedAt": "2026-01-01T00:10:00Z", "path": "checkpoints/120",
             "verdict": "healthy", "reason": "good steps up to 170", "tiers": ["node", "store"], "pinned": true}}
            """);
        var listed = await _cluster.KubectlAsync("get", "optckpt", "-o", "wide");
        var said = await SaidAsync("checkpoints", "opt-tiny");
        await _cluster.KubectlAsync("delete", "optckpt", "opt-tiny-000000120-abc");

        Assert.Matches(@"JOB +STEP +TOKENS +EPOCH +SIZE +VERDICT +PINNED +AGE +TIERS +REASON", listed);
        Assert.Matches(@"opt-tiny +120 +122880 +3 +12Mi +healthy +true", listed);
        Assert.Matches(@"120 +122880 +3 +12\.4MiB +healthy +yes +node,store +\S+ +- +opt-tiny-000000120-abc +good steps up to 170", said);
    }

    private async Task<string> SaidAsync(params string[] arguments)
    {
        var (exitCode, output, error) = await RunAsync(arguments);
        return exitCode == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', arguments)} exited {exitCode}: {error}");
    }

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        string[] all = arguments.Contains("--kubeconfig") ? arguments : [.. arguments, "--kubeconfig", _cluster.Kubeconfig];
        var exitCode = await Root.InvokeAsync(new(output, error, IsInteractive: false, TimeProvider.System), all, Cancelled);
        return (exitCode, output.ToString(), error.ToString());
    }
}

/// <summary>One cluster with a job for all tests; each leaves it as it found it.</summary>
public sealed class SampleCluster : IAsyncLifetime
{
    internal LiveCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Cluster = await LiveCluster.StartAsync();
        await SampleJob.ApplyAsync(Cluster);
    }

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
