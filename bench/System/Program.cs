// Measures the shipped programs together on this machine: apply to first step, worker SIGKILL to next step, and what the operator costs.
// Prints one JSON line a figure: {"name", "unit", "median", "min", "max", "samples"}.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.Bench;
using Opt.EndToEnd;

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) => { e.Cancel = true; stop.Cancel(); };
var kills = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 5;

await using var system = await LocalSystem.StartAsync(nodes: 2, stop.Token);
await Idle("operator idle");

var applied = Figures.Now();
await system.ApplyAsync(TinyManifest.WithSteps(100_000, checkpointEvery: 20), stop.Token);
await StepBeyond(0);
Figures.Print("apply to first step", "s", [Figures.Since(applied)]);

await Idle("operator while training");

var recoveries = new List<double>();
for (var i = 0; i < kills; i++)
{
    await CheckpointBeyond(await Number("step") - 1);
    var epoch = await Number("epoch");
    var killed = Figures.Now();
    using (var worker = Workers()) worker.Kill();
    await system.EventuallyAsync("training again", async () => await Number("epoch") > epoch && await Number("step") > 0 && (string?)(await Status())?["phase"] == "Running", stop.Token);
    recoveries.Add(Figures.Since(killed));
}

Figures.Print("worker SIGKILL to training again", "s", recoveries);

async Task Idle(string name)
{
    var before = system.Operator.TotalProcessorTime;
    var from = Figures.Now();
    await Task.Delay(TimeSpan.FromSeconds(20), TimeProvider.System, stop.Token);
    system.Operator.Refresh();
    Figures.Print($"{name}: CPU", "cores", [(system.Operator.TotalProcessorTime - before).TotalSeconds / Figures.Since(from)]);
    Figures.Print($"{name}: resident memory", "MiB", [system.Operator.WorkingSet64 / 1048576.0]);
}

async Task<JsonNode?> Status() => (await system.GetAsync(stop.Token, "otj", "opt-tiny"))["status"];
async Task<long> Number(string field) => (long?)(await Status())?[field] ?? 0;
Task StepBeyond(long step) => system.EventuallyAsync($"a step beyond {step}", async () => await Number("step") > step, stop.Token);
Task CheckpointBeyond(long step) => system.EventuallyAsync("a checkpoint", async () => ((long?)(await Status())?["lastCheckpoint"]?["step"] ?? 0) > step, stop.Token);

static Process Workers() => Process.GetProcessesByName("opt-trainer").First(p => File.ReadAllText($"/proc/{p.Id}/cmdline").Split('\0') is [_, "worker", ..]);
