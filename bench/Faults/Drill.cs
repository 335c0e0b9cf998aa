using System.Text.Json.Nodes;
using Opt.EndToEnd;

namespace Opt.Bench.Faults;

/// <summary>A job of two members and a spare on three machines, and what is done to it.</summary>
internal sealed partial class Drill : IAsyncDisposable
{
    /// <summary>Short detection, since a step takes a tenth of a second here; everything else as shipped.</summary>
    private const string Policy = "  failurePolicy: {hangAtLeast: 5s, agentSilence: 5s, relaunchInPlace: {limit: 1000, window: 1h}, replaceNode: {limit: 1000, window: 1h}, diagnostics: {enabled: DIAGNOSTICS}, straggler: {forSteps: 20, mode: STRAGGLERS, limit: 1000}}\n";

    private readonly LocalSystem _system;
    private readonly StepWatch _steps;
    private readonly Rounds _rounds;
    private readonly CancellationToken _ct;
    private string _node = "", _pod = "";

    private Drill(LocalSystem system, Rounds rounds, CancellationToken ct)
    {
        (_system, _rounds, _ct) = (system, rounds, ct);
        _steps = new(system, ct);
        Processes = new(Path.GetDirectoryName(system.Kubeconfig)!);
    }

    public Processes Processes { get; }

    public static async Task<Drill> StartAsync(Rounds rounds, bool diagnostics, bool stragglers, CancellationToken ct)
    {
        var drill = new Drill(await LocalSystem.StartAsync(nodes: 3, ct), rounds, ct);
        try
        {
            var policy = Policy.Replace("DIAGNOSTICS", diagnostics ? "true" : "false", StringComparison.Ordinal).Replace("STRAGGLERS", stragglers ? "Enforce" : "Shadow", StringComparison.Ordinal);
            var manifest = TinyManifest.WithSteps(1_000_000, checkpointEvery: 10, sequences: 2).Replace("nodes: 2,", "nodes: 2, spareNodes: 1,", StringComparison.Ordinal).Replace("  data:\n", policy + "  data:\n", StringComparison.Ordinal);
            var (exitCode, said) = await drill._system.ApplyAsync(manifest, ct);
            if (exitCode != 0) throw new InvalidOperationException(said);
            await drill.SettledAsync(0);
        }
        catch
        {
            await drill.DisposeAsync();   // or a whole cluster would live on
            throw;
        }

        return drill;
    }

    /// <summary>A fault that costs an epoch: time from it to the first step of the next one.</summary>
    /// <param name="strike">Gets the number of the round.</param>
    /// <param name="mend">Makes everything whole again, not timed.</param>
    public async Task RelaunchAsync(string name, Func<int, Task> strike, Func<Task>? mend = null)
    {
        while (!_rounds.AreDone)
        {
            var epoch = (await _steps.NewestAsync()).Epoch;
            (_pod, _node) = await PlaceAsync(_rounds.Done % 2);
            var struck = TimeProvider.System.GetUtcNow();
            await strike(_rounds.Done);
            var next = await _steps.FirstAboveAsync(epoch);
            _rounds.Add(($"{name} to next optimizer step", "s", (next.Time - struck).TotalSeconds));
            if (mend is not null) await mend();
            await ReleaseAsync();
            await SettledAsync(next.Epoch);
        }
    }

    /// <summary>A fault that training must not notice: the longest time between two steps around it, and whether it cost an epoch.</summary>
    public async Task UntouchedAsync(string name, Func<Task> strike, Func<Task> mend)
    {
        while (!_rounds.AreDone)
        {
            var before = (await _steps.NewestAsync());
            (_pod, _node) = await PlaceAsync(_rounds.Done % 2);
            var struck = TimeProvider.System.GetUtcNow();
            await strike();
            await Task.Delay(TimeSpan.FromSeconds(8), TimeProvider.System, _ct);
            var stamps = (await _steps.RecordsAsync()).Where(r => r.Time > struck - TimeSpan.FromSeconds(3)).Select(r => r.Time).Order().ToArray();
            var between = stamps.Zip(stamps.Skip(1), (a, b) => (b - a).TotalSeconds).ToArray();
            var relaunches = (await _steps.NewestAsync()).Epoch - before.Epoch;
            _rounds.Add(($"{name}: longest time between steps", "s", between.Max()), ($"{name}: usual time between steps", "s", Middle(between)), ($"{name}: relaunches", "", relaunches));
            await mend();
            await SettledAsync(0);
        }
    }

    /// <summary>One worker gets a quarter of its time: the next step, and what a step costs meanwhile.</summary>
    public async Task ThrottleAsync()
    {
        const string name = "worker throttled to a quarter for 4 s";
        while (!_rounds.AreDone)
        {
            var before = (await _steps.NewestAsync());
            var usual = Middle((await _steps.RecordsAsync()).TakeLast(30).Select(r => r.Seconds));
            var struck = TimeProvider.System.GetUtcNow();
            await using (new Throttle(Processes.Worker(_rounds.Done % 2))) await Task.Delay(TimeSpan.FromSeconds(4), TimeProvider.System, _ct);

            var during = (await _steps.RecordsAsync()).Where(r => r.Time > struck).ToArray();
            var relaunches = (await _steps.NewestAsync()).Epoch - before.Epoch;
            _rounds.Add(($"{name}: to next optimizer step", "s", (during[0].Time - struck).TotalSeconds), ($"{name}: step time, times the usual", "", during.Average(r => r.Seconds) / usual), ($"{name}: relaunches", "", relaunches));
        }
    }

    public Task KillNodeAsync() => _system.NodeAsync("kill", _node, _ct);

    /// <summary>Another pod in place of one whose container was restarted: the kubelet would hold a second restart back.</summary>
    public async Task FreshPodAsync()
    {
        // By now the spare trains in its place, so its end costs no epoch.
        var old = (string)(await _system.GetAsync(_ct, "pod", _pod))["metadata"]!["uid"]!;
        await _system.KubectlAsync(_ct, "delete", "pod", _pod, "--wait=false");
        await _system.EventuallyAsync("a fresh pod", async () => await _system.TryKubectlAsync(_ct, "get", "pod", _pod, "-o", "json") is (0, var json)
            && JsonNode.Parse(json) is { } pod && (string?)pod["metadata"]?["uid"] != old && (string?)pod["status"]?["phase"] == "Running", _ct, seconds: 120);
    }

    public Task CutNodeAsync() => _system.NodeAsync("cut", _node, _ct);

    public Task MendNodeAsync() => _system.NodeAsync("start", _node, _ct);

    public async Task KillOperatorAsync()
    {
        _system.Operator.Kill();
        await _system.Operator.WaitForExitAsync(_ct);
        await Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System, _ct);
        _system.StartOperator();
    }

    public async ValueTask DisposeAsync()
    {
        _steps.Dispose();
        await _system.DisposeAsync();
    }

    /// <summary>Trains, has committed a checkpoint in this epoch, and the spare is ready: the same start for every fault.</summary>
    private async Task SettledAsync(long epoch)
    {
        await _system.EventuallyAsync("a settled job", async () => await StatusAsync() is { } now
            && (string?)now["phase"] == "Running" && (long?)now["epoch"] >= epoch && (long?)now["lastCheckpoint"]?["epoch"] == (long?)now["epoch"] && (int?)now["nodes"]?["sparesReady"] >= 1, _ct, seconds: 120);
        await _steps.FindAgentsAsync();
    }

    /// <summary>Gives back what was quarantined, so that machines do not run out.</summary>
    private async Task ReleaseAsync()
    {
        foreach (var node in (await _system.GetAsync(_ct, "nodes"))["items"]!.AsArray().Where(n => n!["metadata"]!["labels"]!["training.opt-operator.io/quarantined"] is not null))
        {
            await _system.KubectlAsync(_ct, "label", "node", (string)node!["metadata"]!["name"]!, "training.opt-operator.io/quarantined-");
            await _system.KubectlAsync(_ct, "uncordon", (string)node["metadata"]!["name"]!);
        }
    }

    private async Task<JsonNode?> StatusAsync() => (await _system.GetAsync(_ct, "otj", "opt-tiny"))["status"];

    /// <summary>Pod and node of a rank.</summary>
    private async Task<(string Pod, string Node)> PlaceAsync(int rank)
    {
        var pod = Processes.Worker(rank).Pod;
        return (pod, (string)(await _system.GetAsync(_ct, "pod", pod))["spec"]!["nodeName"]!);
    }
}
