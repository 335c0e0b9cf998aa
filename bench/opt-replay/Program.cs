// OPT-175B's run replayed: 124 nodes of 8 GPUs, spares, 143,000 steps of 20 s, and the failures its logbook tells of, under the shipped planner.
// Usage: opt-replay [quick] [--seed N] [--steps N] [--svg FILE].   quick: the base run and the fixed interval only.
using Opt.Replay;

var seed = Argument("--seed") is { } s ? int.Parse(s, System.Globalization.CultureInfo.InvariantCulture) : 1;
var stages = new Stages();
var scene = new Scene(stages, seed, Steps: Argument("--steps") is { } n ? long.Parse(n, System.Globalization.CultureInfo.InvariantCulture) : 143_000);

Report.Text("## Base: 6 spares, checkpoints at the default automatic interval");
var run = new Replay(scene with { StepsPerPass = 10 }).Run();
Report.Line("opt-replay base", run);
Report.Details(run);
if (Argument("--svg") is { } path) File.WriteAllText(path, Timeline.Draw(run));

Report.Text("## A fixed interval of 250 steps, as OPT ran");
var steps = new Replay(scene with { Every = 250 }).Run();
Report.Line("opt-replay 250 steps", steps);
Report.Text($"ceiling by arithmetic, two failures a day and nothing lost but half an interval each: {100 * (1 - 2 * 125 * stages.Step / 86400):0.0} %");
if (args.Contains("quick")) return;

Report.Text("## Seeds");
Report.Head();
for (var other = 1; other <= 10; other++) Report.Row($"seed {other}", new Replay(scene with { Seed = other }).Run());

Report.Text("## Failure rate and spares");
Report.Head();
foreach (var rate in new[] { 0.5, 1, 2 }) Report.Row($"failure rate x {rate}, 6 spares", new Replay(scene with { Rate = rate }).Run());
foreach (var spares in new[] { 0, 2, 4, 6 }) Report.Row($"{spares} spares", new Replay(scene with { Spares = spares }).Run());

Report.Text("## Each assumed duration halved and doubled");
Report.Head();
foreach (var (name, scale) in Stages.Varied)
{
    foreach (var factor in new[] { 0.5, 2 }) Report.Row($"{name} x {factor}", new Replay(scene with { Stages = scale(stages, factor) }).Run());
}

string? Argument(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
