// Breaks one thing at a time in a local cluster of real trainers, again and again, and times how long until the next optimizer step.
// Usage: opt-bench-faults FAULT [TIMES]. Prints one JSON line a figure: {"name", "unit", "median", "min", "max", "samples"}.
using System.Globalization;
using Opt.Bench.Faults;

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) => { e.Cancel = true; stop.Cancel(); };
var times = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20;
await using var drill = await Drill.StartAsync(diagnostics: args.FirstOrDefault() is not "worker-stop", stragglers: args.FirstOrDefault() is "straggler", stop.Token);
var fault = args.FirstOrDefault() switch
{
    "worker-kill" => drill.RelaunchAsync("worker SIGKILL", times, i => { drill.Processes.Worker(i % 2).Signal(Signal.Kill); return Task.CompletedTask; }),
    "worker-stop" => drill.RelaunchAsync("worker SIGSTOP (hang)", times, i => { drill.Processes.Worker(i % 2).Signal(Signal.Stop); return Task.CompletedTask; }),
    "worker-stop-tested" => drill.RelaunchAsync("worker SIGSTOP (hang), nodes tested before the relaunch", times, i => { drill.Processes.Worker(i % 2).Signal(Signal.Stop); return Task.CompletedTask; }),
    "worker-throttle" => drill.ThrottleAsync(times),
    "straggler" => drill.StraggleAsync(times),
    "agent-kill" => drill.RelaunchAsync("agent SIGKILL", times, i => { drill.Processes.Agent(i % 2).Signal(Signal.Kill); return Task.CompletedTask; }, drill.FreshPodAsync),
    "node-kill" => drill.RelaunchAsync("node killed, a spare at hand", times, drill.KillNodeAsync, drill.MendNodeAsync),
    "node-cut" => drill.UntouchedAsync("node cut from the API server", times, drill.CutNodeAsync, drill.MendNodeAsync),
    "operator-kill" => drill.UntouchedAsync("operator SIGKILL", times, drill.KillOperatorAsync, _ => Task.CompletedTask),
    _ => throw new ArgumentException("name a fault: worker-kill, worker-stop, worker-stop-tested, worker-throttle, straggler, agent-kill, node-kill, node-cut or operator-kill"),
};
try
{
    await fault;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    // interrupted: the figures of what was done are printed
}
