// OPT-175B's run replayed: 124 nodes of 8 GPUs, spares, 143,000 steps of 20 s, and the failures its logbook tells of, under the shipped planner.
// Usage: opt-replay [base] [seeds] [rates] [spares] [sensitivity] [interval] [--seed N] [--steps N] [--spares N] [--part I/N] [--svg FILE] [--store-alone] [--stops];
// without a section, all of them. --part: of each table only every N-th row, from the I-th on, to spread it over processes; --store-alone: no checkpoints in the nodes' memory in any table; --stops: every stop of the base run, the dearest first.
using System.Globalization;
using Opt.Replay;

var stages = new Stages();
var scene = new Scene(stages, (int)Number("--spares", Scene.Example.Topology.SpareNodes), Scene.Example.Topology.MinNodes, (int)Number("--seed", 1), Steps: Number("--steps", 143_000), Memory: !args.Contains("--store-alone"));
string[] sections = ["base", "seeds", "rates", "spares", "sensitivity", "interval"];
var wanted = args.Intersect(sections).ToArray() is { Length: > 0 } some ? some : sections;
if (wanted.Contains("base")) Base();
if (wanted.Contains("seeds")) Both("Seeds", Enumerable.Range(1, 10).Select(n => ($"seed {n}", scene with { Seed = n })));
if (wanted.Contains("rates")) Both("Failure rate", Rates());
if (wanted.Contains("spares")) Both("Spares", new[] { 0, 2, 4, 8 }.Select(spares => ($"{spares} spares", scene with { Spares = spares })).Append(($"{scene.Spares} spares, minNodes not set", scene with { Fewest = null })));
if (wanted.Contains("sensitivity")) Sensitivity();
if (wanted.Contains("interval")) Interval();

void Base()
{
    Report.Text("## Base: 6 spares, checkpoints at the default automatic interval");
    var run = new Replay(scene with { StepsPerPass = (int)Number("--pass", 10) }).Run();
    Report.Line("opt-replay base", run);
    Report.Details(run);
    Report.Ceiling(run, scene);
    if (args.Contains("--stops")) Report.Stops(run);
    if (Argument("--svg") is { } path) File.WriteAllText(path, Timeline.Draw(run));
}

void Interval()
{
    Report.Text("## A fixed interval of 250 steps, as OPT ran, all of them to the store");
    Report.Line("opt-replay 250 steps", new Replay(scene with { Every = 250, Memory = false }).Run());
    Report.Text($"ceiling by arithmetic, two failures a day and nothing lost but half an interval each: {100 * (1 - 2 * 125 * stages.Step / 86400):0.0} %");
}

// OPT counted 35 restarts by hand and 70 automatic ones in 55.7 days: fewer than these draws of two machines a day, with crashes and hangs on top.
IEnumerable<(string, Scene)> Rates() => new[] { 0.5, 0.65, 2 }.Select(rate => ($"failure rate x {rate.ToString(CultureInfo.InvariantCulture)}", scene with { Rate = rate }));

void Both(string title, IEnumerable<(string Name, Scene Scene)> rows)
{
    Report.Text($"## {title}");
    Report.Head();
    List<Outcome> withMemory = [], alone = [];
    foreach (var (name, one) in Part(rows))
    {
        withMemory.Add(new Replay(one).Run());
        Report.Row($"{name}, memory", withMemory[^1]);
        alone.Add(new Replay(one with { Memory = false }).Run());
        Report.Row($"{name}, store alone", alone[^1]);
    }

    if (title == "Seeds") Report.Medians(withMemory, alone);
}

void Sensitivity()
{
    Report.Text("## Each assumed duration halved and doubled: ETTR while machines exist, and people asked");
    Report.Text("| assumed | x 0.5 | x 2 |\n|---|---|---|");
    foreach (var (name, scale) in Part(Stages.Varied))
    {
        var (half, twice) = (new Replay(scene with { Stages = scale(stages, 0.5) }).Run(), new Replay(scene with { Stages = scale(stages, 2) }).Run());
        Report.Text($"| {name} | {100 * half.EttrWithMachines:0.00} %, {half.Interventions.Count} | {100 * twice.EttrWithMachines:0.00} %, {twice.Interventions.Count} |");
    }
}

IEnumerable<T> Part<T>(IEnumerable<T> rows)
{
    if (Argument("--part")?.Split('/') is not [var first, var of]) return rows;
    var (from, step) = (int.Parse(first, CultureInfo.InvariantCulture) - 1, int.Parse(of, CultureInfo.InvariantCulture));
    return rows.Where((_, i) => i % step == from);
}

long Number(string name, long otherwise) => Argument(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : otherwise;

string? Argument(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
