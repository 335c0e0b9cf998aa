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
    private readonly CancellationToken _ct;
    private string _node = "", _pod = "";

    private Drill(LocalSystem system, CancellationToken ct)
    {
        (_system, _ct) = (system, ct);
        _steps = new(system, ct);
        Processes = new(Path.GetDirectoryName(system.Kubeconfig)!);
    }

    public Processes Processes { get; }

    public static async Task<Drill> StartAsync(bool diagnostics, bool stragglers, CancellationToken ct)
    {
        var system = await LocalSystem.StartAsync(nodes: 3, ct);
        var drill = new Drill(system, ct);
        try
        {
            var policy = Policy.Replace("DIAGNOSTICS", diagnostics ? "true" : "false", StringComparison.Ordinal).Replace("STRAGGLERS", stragglers ? "Enforce" : "Shadow", StringComparison.Ordinal);
            var manifest = TinyManifest.WithSteps(1_000_000, checkpointEvery: 10).Replace("nodes: 2,", "nodes: 2, spareNodes: 1,", StringComparison.Ordinal).Replace("  data:\n", policy + "  data:\n", StringComparison.Ordinal);
            var (exitCode, said) = await system.ApplyAsync(manifest, ct);
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
    /// <param name="mend">Makes everything whole again, not timed.</param>
    public async Task RelaunchAsync(string name, int times, Func<int, Task> strike, Func<int, Task>? mend = null)
    {
        var seconds = new List<double>();
        using var print = new AtEnd(seconds, () => Figures.Print($"{name} to next optimizer step", "s", seconds));
        for (var i = 0; i < times; i++)
        {
            var epoch = (await _steps.NewestAsync())!.Epoch;
            (_pod, _node) = await PlaceAsync(i % 2);
            var struck = TimeProvider.System.GetUtcNow();
            await strike(i);
            var next = await _steps.FirstAboveAsync(epoch);
            seconds.Add((next.Time - struck).TotalSeconds);
            Console.Error.WriteLine($"{name} {i + 1}: {seconds[^1]:F2} s, epoch {next.Epoch}");
            if (mend is not null) await mend(i);
            await ReleaseAsync();
            await SettledAsync(next.Epoch);
        }
    }

    /// <summary>A fault that training must not notice: the longest time between two steps around it, and whether it cost an epoch.</summary>
    public async Task UntouchedAsync(string name, int times, Func<int, Task> strike, Func<int, Task> mend)
    {
        var (gaps, usual, epochs) = (new List<double>(), new List<double>(), 0.0);
        using var print = new AtEnd(gaps, () =>
        {
            Figures.Print($"{name}: longest time between steps", "s", gaps);
            Figures.Print($"{name}: usual time between steps", "s", usual);
            Figures.Print($"{name}: relaunches in {gaps.Count} times", "", [epochs]);
        });
        for (var i = 0; i < times; i++)
        {
            var before = (await _steps.NewestAsync())!;
            (_pod, _node) = await PlaceAsync(i % 2);
            var struck = TimeProvider.System.GetUtcNow();
            await strike(i);
            await Task.Delay(TimeSpan.FromSeconds(8), TimeProvider.System, _ct);
            var stamps = (await _steps.RecordsAsync()).Where(r => r.Time > struck - TimeSpan.FromSeconds(3)).Select(r => r.Time).Order().ToArray();
            var between = stamps.Zip(stamps.Skip(1), (a, b) => (b - a).TotalSeconds).ToArray();
            var (longest, median) = (between.Max(), between.Order().ElementAt(between.Length / 2));
            gaps.Add(longest);
            usual.Add(median);
            epochs += (await _steps.NewestAsync())!.Epoch - before.Epoch;
            Console.Error.WriteLine($"{name} {i + 1}: longest {longest:F2} s between steps, usual {median:F2} s");
            await mend(i);
            await SettledAsync(0);
        }
    }

    /// <summary>One worker gets a quarter of its time: the next step, and what a step costs meanwhile.</summary>
    public async Task ThrottleAsync(int times)
    {
        var (next, ratio, epochs) = (new List<double>(), new List<double>(), 0.0);
        using var print = new AtEnd(next, () =>
        {
            Figures.Print("worker throttled to a quarter: to next optimizer step", "s", next);
            Figures.Print("worker throttled to a quarter: step time, times the usual", "", ratio);
            Figures.Print($"worker throttled to a quarter: relaunches in {ratio.Count} times of 4 s", "", [epochs]);
        });
        for (var i = 0; i < times; i++)
        {
            var before = (await _steps.NewestAsync())!;
            var recent = (await _steps.RecordsAsync()).TakeLast(30).Select(r => r.Seconds).Order().ToArray();
            var usual = recent[recent.Length / 2];
            var struck = TimeProvider.System.GetUtcNow();
            await using (new Throttle(Processes.Worker(i % 2))) await Task.Delay(TimeSpan.FromSeconds(4), TimeProvider.System, _ct);

            var during = (await _steps.RecordsAsync()).Where(r => r.Time > struck).ToArray();
            next.Add((during[0].Time - struck).TotalSeconds);
            ratio.Add(during.Average(r => r.Seconds) / usual);
            epochs += (await _steps.NewestAsync())!.Epoch - before.Epoch;
            Console.Error.WriteLine($"throttle {i + 1}: next step after {next[^1]:F2} s, steps {ratio[^1]:F1} times as long");
        }
    }

    public Task KillNodeAsync(int _) => _system.NodeAsync("kill", _node, _ct);

    /// <summary>Another pod in place of one whose container was restarted: the kubelet would hold a second restart back.</summary>
    public async Task FreshPodAsync(int _)
    {
        // By now the spare trains in its place, so its end costs no epoch.
        var old = (string)(await _system.GetAsync(_ct, "pod", _pod))["metadata"]!["uid"]!;
        await _system.KubectlAsync(_ct, "delete", "pod", _pod, "--wait=false");
        await _system.EventuallyAsync("a fresh pod", async () => await _system.TryKubectlAsync(_ct, "get", "pod", _pod, "-o", "json") is (0, var json)
            && JsonNode.Parse(json) is { } pod && (string?)pod["metadata"]?["uid"] != old && (string?)pod["status"]?["phase"] == "Running", _ct, seconds: 120);
    }

    public Task CutNodeAsync(int _) => _system.NodeAsync("cut", _node, _ct);

    public Task MendNodeAsync(int _) => _system.NodeAsync("start", _node, _ct);

    public async Task KillOperatorAsync(int _)
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

    /// <summary>What was measured is printed however the measuring ends.</summary>
    private sealed class AtEnd(List<double> samples, Action print) : IDisposable
    {
        public void Dispose()
        {
            if (samples.Count > 0) print();
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
