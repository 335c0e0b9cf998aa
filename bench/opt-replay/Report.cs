using System.Globalization;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Planning;

namespace Opt.Replay;

/// <summary>Prints outcomes: one JSON line a figure, as the other benches do, and tables for people.</summary>
public static class Report
{
    public static void Line(string name, Outcome o) => Console.WriteLine(new JsonObject
    {
        ["name"] = name,
        ["ettr"] = Math.Round(o.Ettr, 5),
        ["ettrWhileMachinesExist"] = Math.Round(o.EttrWithMachines, 5),
        ["days"] = Math.Round(o.Seconds / 86400, 2),
        ["restarts"] = o.Status.Restarts.Total,
        ["interventions"] = o.Interventions.Count,
    }.ToJsonString());

    public static void Details(Outcome o)
    {
        Text($"wall time {o.Seconds / 86400:0.00} days; {o.Faults.Count} faults struck; {o.MachinesReplaced} machines replaced; checkpoint every {o.MeanInterval:0} s on average");
        Text($"faults: {string.Join(", ", o.Faults.GroupBy(f => f.Kind).OrderBy(g => g.Key).Select(g => $"{g.Key} {g.Count()}"))}");
        Text($"restarts by cause: {string.Join(", ", o.Status.Restarts.ByCause.Select(c => $"{c.Cause} {c.Count}"))}");
        var total = o.Status.Goodput.Sum(a => a.Seconds);
        foreach (var account in o.Status.Goodput) Text($"  {account.Account,-16} {account.Seconds,12:0} s  {100 * account.Seconds / total,7:0.000} %");
        ByCause(o);
        foreach (var (from, to, phase) in o.Phases.Where(p => p.Phase is not JobPhase.Running).OrderByDescending(p => p.To - p.From).Take(5)) Text($"  one of the five longest stops: {phase} from day {from / 86400:0.000}, {to - from:0} s");
        Text($"planner passes {o.Passes}: p50 {o.Percentile(0.5):0} us, p99 {o.Percentile(0.99):0} us, worst {o.Percentile(1):0} us");
        foreach (var (at, why) in o.Interventions) Text($"  a person was asked on day {at / 86400:0.00}: {why}");
    }

    /// <summary>
    /// What these stages allow at best: faults found at once, a machine always there, saves at Young's interval; and what of the measured loss costs most.
    /// </summary>
    public static void Ceiling(Outcome o, Scene scene)
    {
        var s = scene.Stages;
        var rate = o.Faults.Count / o.Seconds;
        var (restore, commit) = scene.Memory ? (s.RestoreNearby, s.CopyNearby) : (s.Restore, s.Upload);
        var (cost, counts) = (s.Stall + s.Contention, s.Copy + commit + s.Fence);
        var interval = Math.Max(commit, Math.Sqrt(2 * cost / rate));
        var lost = cost / interval + rate * (interval / 2 + counts + s.StopWorkers + s.StartWorkers + s.Rendezvous + restore);
        var most = o.Status.Goodput.Where(a => a.Account is not (Accounts.Productive or Accounts.Provision)).MaxBy(a => a.Seconds)!;
        Text($"ceiling by arithmetic for {rate * 86400:0.0} faults a day, saves every {interval:0} s: {100 * (1 - lost):0.00} %; of what is lost while there are machines, {most.Account} is the most, {o.Share(most.Account):0.00} %");
    }

    /// <summary>Seconds a launch, by what caused it.</summary>
    private static void ByCause(Outcome o)
    {
        string[] accounts = [Accounts.Detect, Accounts.Diagnose, Accounts.Provision, Accounts.Rendezvous, Accounts.Restore, Accounts.Recompute];
        Text($"| cause | launches | {string.Join(" | ", accounts)} | all, s a launch | % of the run |\n|---{string.Concat(Enumerable.Repeat("|---", accounts.Length + 3))}|");
        foreach (var (cause, launches, seconds) in o.Losses.ByCause.OrderByDescending(c => c.Seconds.Values.Sum()))
        {
            Text($"| {cause} | {launches} | {string.Join(" | ", accounts.Select(a => (seconds.GetValueOrDefault(a) / launches).ToString("0", CultureInfo.InvariantCulture)))} | {seconds.Values.Sum() / launches:0} | {100 * seconds.Values.Sum() / o.Seconds:0.000} |");
        }
    }

    /// <summary>Every stop of the run, the dearest first.</summary>
    public static void Stops(Outcome o)
    {
        foreach (var stop in o.Losses.Stops.OrderByDescending(s => s.All))
        {
            var seconds = string.Join(" ", stop.Seconds.OrderByDescending(s => s.Value).Select(s => FormattableString.Invariant($"{s.Key} {s.Value:0}")));
            Text($"{stop.All,6:0} s  day {stop.At / 86400:00.000}  {stop.Cause} {stop.Node}: {seconds}  ({stop.Message})");
        }
    }

    public static void Row(string name, Outcome o) =>
        Text($"| {name} | {100 * o.Ettr:0.00} % | {100 * o.EttrWithMachines:0.00} % | {o.Share(Accounts.Provision):0.00} % | {o.Seconds / 86400:0.00} | {o.Status.Restarts.Total} | {o.Interventions.Count} |");

    public static void Medians(IReadOnlyList<Outcome> memory, IReadOnlyList<Outcome> alone)
    {
        foreach (var (name, outcomes) in new[] { ("memory", memory), ("store alone", alone) })
        {
            double[] sorted = [.. outcomes.Select(o => 100 * o.EttrWithMachines).Order()];
            var median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
            Text($"while machines exist, {name}: median {median:0.00} %, {sorted[0]:0.00} to {sorted[^1]:0.00} % over {sorted.Length} seeds");
        }
    }

    public static void Head() => Text("| | ETTR | while machines exist | waited for machines | days | relaunches | people asked |\n|---|---|---|---|---|---|---|");

    public static void Text(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    public static void Text(string text) => Console.WriteLine(text);
}
