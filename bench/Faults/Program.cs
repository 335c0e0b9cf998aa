// Breaks one thing at a time in a local cluster of real trainers, again and again, and times how long until the next optimizer step.
// Usage: opt-bench-faults FAULT [TIMES]. Goes on with the rounds in artifacts/faults/FAULT.jsonl, and prints one JSON line a figure of
// all of them: {"name", "unit", "median", "min", "max", "samples"}.
using System.Globalization;
using Opt.Bench.Faults;
using Opt.Testing;

Dictionary<string, Func<Drill, Task>> faults = new()
{
    ["worker-kill"] = drill => drill.RelaunchAsync("worker SIGKILL", i => { drill.Processes.Worker(i % 2).Signal(Signal.Kill); return Task.CompletedTask; }),
    ["worker-stop"] = drill => drill.RelaunchAsync("worker SIGSTOP (hang)", i => { drill.Processes.Worker(i % 2).Signal(Signal.Stop); return Task.CompletedTask; }),
    ["worker-stop-tested"] = drill => drill.RelaunchAsync("worker SIGSTOP (hang), nodes tested before the relaunch", i => { drill.Processes.Worker(i % 2).Signal(Signal.Stop); return Task.CompletedTask; }),
    ["worker-throttle"] = drill => drill.ThrottleAsync(),
    ["straggler"] = drill => drill.StraggleAsync(),
    ["agent-kill"] = drill => drill.RelaunchAsync("agent SIGKILL", i => { drill.Processes.Agent(i % 2).Signal(Signal.Kill); return Task.CompletedTask; }, drill.FreshPodAsync),
    ["node-kill"] = drill => drill.RelaunchAsync("node killed, a spare at hand", _ => drill.KillNodeAsync(), drill.MendNodeAsync),
    ["node-cut"] = drill => drill.UntouchedAsync("node cut from the API server", drill.CutNodeAsync, drill.MendNodeAsync),
    ["operator-kill"] = drill => drill.UntouchedAsync("operator SIGKILL", drill.KillOperatorAsync, () => Task.CompletedTask),
};
if (args.Length == 0 || !faults.TryGetValue(args[0], out var fault))
{
    Console.Error.WriteLine($"name a fault: {string.Join(", ", faults.Keys)}");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) => { e.Cancel = true; stop.Cancel(); };
using var rounds = new Rounds(Repo.PathOf("artifacts", "faults", $"{args[0]}.jsonl"), args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20);
if (rounds.AreDone) return 0;
try
{
    await using var drill = await Drill.StartAsync(rounds, diagnostics: args[0] is not "worker-stop", stragglers: args[0] is "straggler", stop.Token);
    await fault(drill);
    return 0;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 130;   // the figures of what was done are printed
}
