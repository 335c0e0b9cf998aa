// OPT-175B's run replayed: 124 nodes of 8 GPUs, spares, 143,000 steps of 20 s, and the failures its logbook tells of, under the shipped planner.
// Usage: opt-replay [base] [store] [interval] [seeds] [rates] [sensitivity] [--seed N] [--steps N] [--spares N] [--min-nodes N] [--svg FILE] [--store-alone] [--stops]; without a
// section, all of them. --store-alone: no checkpoints in the nodes' memory in any table.
using System.Globalization;
using Opt.Replay;

var stages = new Stages();
var scene = new Scene(stages, Seed: (int)Number("--seed", 1), Steps: Number("--steps", 143_000), Memory: !args.Contains("--store-alone"), Spares: (int)Number("--spares", 6), Fewest: Argument("--min-nodes") is { } fewest ? int.Parse(fewest, CultureInfo.InvariantCulture) : null);
string[] sections = ["base", "store", "interval", "seeds", "rates", "sensitivity"];
var wanted = args.Intersect(sections).ToArray() is { Length: > 0 } some ? some : sections;
if (wanted.Contains("base")) Base();
if (wanted.Contains("store")) Store();
if (wanted.Contains("interval")) Interval();
if (wanted.Contains("seeds")) Table("Seeds", Enumerable.Range(1, 5).Select(n => ($"seed {n}", scene with { Seed = n })));
if (wanted.Contains("rates")) Table("Failure rate and spares", Rates().Concat(Spares()));
if (wanted.Contains("sensitivity")) Table("Each assumed duration halved and doubled", Stages.Varied.SelectMany(v => new[] { 0.5, 2 }.Select(f => ($"{v.Name} x {f}", scene with { Stages = v.Scale(stages, f) }))));

void Base()
{
    Report.Text("## Base: 6 spares, checkpoints at the default automatic interval");
    var run = new Replay(scene with { StepsPerPass = 10 }).Run();
    Report.Line("opt-replay base", run);
    Report.Details(run);
    Report.Ceiling(run, scene);
    if (args.Contains("--stops")) Report.Stops(run);
    if (Argument("--svg") is { } path) File.WriteAllText(path, Timeline.Draw(run));
}

void Store()
{
    Report.Text("## Every checkpoint to the store, none in the nodes' memory");
    var run = new Replay(scene with { Memory = false }).Run();
    Report.Line("opt-replay store alone", run);
    Report.Details(run);
}

void Interval()
{
    Report.Text("## A fixed interval of 250 steps, as OPT ran");
    Report.Line("opt-replay 250 steps", new Replay(scene with { Every = 250 }).Run());
    Report.Text($"ceiling by arithmetic, two failures a day and nothing lost but half an interval each: {100 * (1 - 2 * 125 * stages.Step / 86400):0.0} %");
}

IEnumerable<(string, Scene)> Rates() => new[] { 0.5, 2 }.Select(rate => ($"failure rate x {rate.ToString(CultureInfo.InvariantCulture)}, 6 spares", scene with { Rate = rate }));

IEnumerable<(string, Scene)> Spares() => new[] { 0, 2, 4, 6, 8 }.Select(spares => ($"{spares} spares", scene with { Spares = spares }));

void Table(string title, IEnumerable<(string Name, Scene Scene)> rows)
{
    Report.Text($"## {title}");
    Report.Head();
    foreach (var (name, one) in rows) Report.Row(name, new Replay(one).Run());
}

long Number(string name, long otherwise) => Argument(name) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : otherwise;

string? Argument(string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
