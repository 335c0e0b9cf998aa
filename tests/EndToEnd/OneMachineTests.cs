using System.Text.Json.Nodes;
using Xunit;

namespace Opt.EndToEnd;

/// <summary>The shipped programs together, driven by kubectl, on one machine.</summary>
public sealed class OneMachineTests : IAsyncLifetime
{
    private LocalSystem _system = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _system = await LocalSystem.StartAsync(nodes: 3, Cancelled);

    public ValueTask DisposeAsync() => _system.DisposeAsync();

    [Fact]
    public async Task A_job_trains_to_its_end_through_an_operator_restart_a_killed_worker_and_a_lost_node()
    {
        // To the store at step 110 only, which a busy machine must not reach before the worker dies: what is resumed from before that was in the nodes' memory alone.
        await ApplyAsync(TinyManifest.WithSteps(steps: 130, checkpointEvery: 110, memoryEvery: 3));
        await StepReachedAsync(12);
        var before = await PodsAsync();
        var epoch = await EpochAsync();

        _system.Operator.Kill();
        await _system.Operator.WaitForExitAsync(Cancelled);
        var step = await StepAsync();
        _system.StartOperator();
        await StepReachedAsync(step + 5);
        Assert.Equal(epoch, await EpochAsync());
        Assert.Equal(before, await PodsAsync());

        KillOneWorker();
        await _system.EventuallyAsync("a new epoch after the worker's death", async () => await EpochAsync() > epoch, Cancelled);
        await StepReachedAsync(40);
        Assert.Equal(before, await PodsAsync());   // in place: same pods, same nodes
        Assert.InRange(await ResumedAtAsync(epoch + 1), step - 10, 109);

        var (victim, lost) = before.OrderBy(p => p.Key).First();
        await _system.NodeAsync("kill", lost.Node, Cancelled);
        await _system.EventuallyAsync("phase Succeeded", async () => (string?)(await StatusAsync())?["phase"] == "Succeeded", Cancelled, seconds: 240);

        var status = await StatusAsync();
        Assert.Equal(130, (long)status!["step"]!);
        Assert.True((double)status["loss"]! <= 8.5, $"loss {status["loss"]}");   // ln(50264) = 10.8 at the start
        Assert.Equal(2, (int)status["restarts"]!["total"]!);
        Assert.InRange(await ResumedAtAsync(epoch + 2), 30, 129);   // the survivor held what the lost machine had
        var node = await _system.GetAsync(Cancelled, "node", lost.Node);
        Assert.NotNull(node["metadata"]!["labels"]!["training.opt-operator.io/quarantined"]);
        Assert.True((bool?)node["spec"]!["unschedulable"] ?? false, $"{lost.Node} of {victim} is not cordoned");
    }

    [Fact]
    public async Task Edits_while_training_are_in_force_without_a_restart_or_refused_and_deleting_the_job_removes_everything_it_owned()
    {
        await ApplyAsync(TinyManifest.WithSteps(steps: 100_000, checkpointEvery: 50, sequences: 2));
        await StepReachedAsync(21);   // past the warm-up to 3e-3
        var (epoch, pods) = (await EpochAsync(), await PodsAsync());

        await _system.KubectlAsync(Cancelled, "patch", "otj", "opt-tiny", "--type", "merge", "-p", """{"spec":{"training":{"learningRate":{"peak":1.0e-3}}}}""");
        await _system.EventuallyAsync("a learning rate of at most 1e-3", async () => (double?)(await StatusAsync())?["learningRate"] <= 1.0e-3, Cancelled);
        Assert.Equal(1, (int)(await StatusAsync())!["revision"]!);
        await _system.KubectlAsync(Cancelled, "patch", "otj", "opt-tiny", "--type", "merge", "-p", """{"spec":{"checkpoint":{"every":{"steps":3}}}}""");
        await _system.EventuallyAsync("a checkpoint between those of every 50 steps", async () => (long?)(await StatusAsync())?["lastCheckpoint"]?["step"] is { } saved && saved % 50 != 0, Cancelled);
        await _system.EventuallyAsync("the spec in force", async () => (await StatusAsync())?["conditions"]?.AsArray().Any(c => (string?)c!["type"] == "SpecInForce" && (string?)c["status"] == "True") == true, Cancelled);
        var (exitCode, said) = await _system.TryKubectlAsync(Cancelled, "patch", "otj", "opt-tiny", "--type", "merge", "-p", """{"spec":{"model":{"layers":3}}}""");

        Assert.Equal(2, (int)(await StatusAsync())!["revision"]!);
        Assert.Equal(epoch, await EpochAsync());
        Assert.Equal(pods, await PodsAsync());
        Assert.NotEqual(0, exitCode);
        Assert.Contains("immutable", said, StringComparison.OrdinalIgnoreCase);

        Assert.NotEmpty(Workers());
        await _system.KubectlAsync(Cancelled, "delete", "otj", "opt-tiny", "--timeout=100s");

        await _system.EventuallyAsync("nothing is left", async () =>
            ((await _system.GetAsync(Cancelled, "statefulset,pod,service,poddisruptionbudget"))["items"]!.AsArray().All(i => (string?)i!["metadata"]!["name"] == "kubernetes")) &&
            (await _system.KubectlAsync(Cancelled, "get", "secret,configmap", "-l", "app.kubernetes.io/instance=opt-tiny", "-o", "name")).Length == 0, Cancelled);
        Assert.Empty(Workers());
    }

    [Fact]
    public async Task Bad_input_is_refused_by_name_and_changes_nothing()
    {
        await RefusedAsync("layers: 2, hiddenSize: 64, heads: 4, vocabSize: 50264, maxPositions: 128, dropout: 0.1", "preset: opt-176b", "preset");
        await RefusedAsync("nodes: 2, acceleratorsPerNode: 1", "nodes: 0, acceleratorsPerNode: 1", "nodes");
        await RefusedAsync("heads: 4", "heads: -1", "heads");
        await RefusedAsync("seed: 1", "sead: 1", "sead");
    }

    private async Task RefusedAsync(string good, string bad, string named)
    {
        var (exitCode, said) = await _system.ApplyAsync(TinyManifest.WithSteps(20, 10).Replace(good, bad, StringComparison.Ordinal), Cancelled);

        if (exitCode == 0)   // what the schema cannot say, the operator says in a condition, and does not act on
        {
            await _system.EventuallyAsync("the operator looked at it", async () => (await StatusAsync())?["conditions"] is not null, Cancelled);
            said = (await StatusAsync())!["conditions"]!.ToJsonString();
        }

        Assert.Contains(named, said, StringComparison.Ordinal);
        Assert.Empty((await _system.GetAsync(Cancelled, "statefulsets"))["items"]!.AsArray());
        if (exitCode == 0) await _system.KubectlAsync(Cancelled, "delete", "otj", "opt-tiny", "--timeout=100s");
    }

    private async Task ApplyAsync(string manifest)
    {
        var (exitCode, said) = await _system.ApplyAsync(manifest, Cancelled);
        Assert.True(exitCode == 0, said);
    }

    private async Task<JsonNode?> StatusAsync() => (await _system.GetAsync(Cancelled, "otj", "opt-tiny"))["status"];

    private async Task<long> ResumedAtAsync(long epoch) =>
        (long?)JsonNode.Parse((string)(await _system.GetAsync(Cancelled, "configmap", $"opt-tiny-plan-{epoch}"))["data"]!["plan.json"]!)!["resume"]?["step"] ?? 0;

    private async Task<long> StepAsync() => (long?)(await StatusAsync())?["step"] ?? 0;

    private async Task<long> EpochAsync() => (long?)(await StatusAsync())?["epoch"] ?? 0;

    private Task StepReachedAsync(long step) => _system.EventuallyAsync($"step {step}", async () => await StepAsync() >= step, Cancelled);

    private async Task<Dictionary<string, (string Uid, string Node, int Restarts)>> PodsAsync() =>
        (await _system.GetAsync(Cancelled, "pods"))["items"]!.AsArray().ToDictionary(
            p => (string)p!["metadata"]!["name"]!,
            p => ((string)p!["metadata"]!["uid"]!, (string)p["spec"]!["nodeName"]!, (int)p["status"]!["containerStatuses"]![0]!["restartCount"]!));

    private void KillOneWorker()
    {
        var worker = Workers().First();
        System.Diagnostics.Process.GetProcessById(worker).Kill();
    }

    /// <summary>Process ids of this system's workers.</summary>
    private int[] Workers() =>
    [
        .. from folder in Directory.GetDirectories("/proc")
           let name = Path.GetFileName(folder)
           where int.TryParse(name, out _)
           let line = Read(folder, "cmdline")
           where line.Length > 1 && line[0].EndsWith("opt-trainer", StringComparison.Ordinal) && line[1] == "worker"
           where Read(folder, "environ").Any(v => v.StartsWith($"OPT_RUN_DIR={Path.GetDirectoryName(_system.Kubeconfig)}/", StringComparison.Ordinal))
           select int.Parse(name, System.Globalization.CultureInfo.InvariantCulture),
    ];

    private static string[] Read(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file)).Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];   // it ended meanwhile
        }
    }
}
