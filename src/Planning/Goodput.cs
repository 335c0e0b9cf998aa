using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>The ledger by time and by cause: what was charged in one pass is added to spans of the clock and to whatever caused it.</summary>
internal static class Goodput
{
    private const int KeptCauses = 32, KeptOfWindow = 8, KeptOfSpan = 4;
    private static readonly (string Name, int Minutes, int Spans)[] s_windows = [("1h", 5, 12), ("24h", 60, 24)];

    /// <summary>The spans after this pass.</summary>
    /// <param name="grown">What each account grew by in it.</param>
    /// <param name="lost">The unproductive part of that by cause and node.</param>
    public static EquatableList<GoodputSpan> History(EquatableList<GoodputSpan> old, EquatableList<LedgerAccount> grown, EquatableList<LostTime> lost, DateTimeOffset now)
    {
        if (grown.Sum(a => a.Seconds) <= 0) return old;
        return [.. s_windows.SelectMany(w => Spans([.. old.Where(s => s.Minutes == w.Minutes)], w.Minutes, w.Spans, grown, lost, now))];
    }

    public static EquatableList<GoodputWindow> Windows(EquatableList<GoodputSpan> history) => [.. s_windows.Select(w => (w.Name, Spans: history.Where(s => s.Minutes == w.Minutes).ToArray())).Where(w => w.Spans.Length > 0)
        .Select(w => new GoodputWindow
        {
            Window = w.Name, Seconds = Math.Round(w.Spans.Sum(s => s.Seconds), 1), Percent = Math.Round(100 * w.Spans.Sum(s => s.Productive) / w.Spans.Sum(s => s.Seconds), 2),
            Accounts = Summed(w.Spans.SelectMany(s => s.Accounts)), Lost = Largest(w.Spans.SelectMany(s => s.Lost), KeptOfWindow),
        })];

    /// <summary>What each account grew by, those that did.</summary>
    public static EquatableList<LedgerAccount> Grown(EquatableList<LedgerAccount> before, EquatableList<LedgerAccount> after) =>
        [.. after.Select(a => a with { Seconds = Math.Round(a.Seconds - (before.FirstOrDefault(b => b.Account == a.Account)?.Seconds ?? 0), 3) }).Where(a => a.Seconds > 0)];

    /// <summary>The unproductive part of it by its cause.</summary>
    public static EquatableList<LostTime> Causes(Situation s, Move move, EquatableList<LedgerAccount> grown) =>
        Largest(grown.Where(a => a.Account != Accounts.Productive).Select(a => (Cause: CauseOf(s, move, a.Account), a.Seconds)).Select(c => new LostTime { Cause = c.Cause.Cause, Node = c.Cause.Node, Seconds = c.Seconds }), KeptCauses);

    /// <summary>Adds it to what was lost before.</summary>
    public static EquatableList<LostTime> Lost(EquatableList<LostTime> old, EquatableList<LostTime> lost) => lost.Count == 0 ? old : Largest(old.Concat(lost), KeptCauses);

    /// <summary>Summed by cause and node, the largest of them; the rest is one.</summary>
    private static EquatableList<LostTime> Largest(IEnumerable<LostTime> all, int kept)
    {
        LostTime[] sorted = [.. all.GroupBy(l => (l.Cause, l.Node)).Select(g => new LostTime { Cause = g.Key.Cause, Node = g.Key.Node, Seconds = Math.Round(g.Sum(l => l.Seconds), 3) }).OrderBy(l => l.Cause == Other ? 1 : 0)
            .ThenByDescending(l => l.Seconds).ThenBy(l => l.Cause, StringComparer.Ordinal).ThenBy(l => l.Node, StringComparer.Ordinal)];
        var rest = sorted.Skip(kept).Sum(l => l.Seconds);
        return rest <= 0 ? [.. sorted] : [.. sorted.Take(kept), new LostTime { Cause = Other, Seconds = Math.Round(rest, 3) }];
    }

    private static EquatableList<LedgerAccount> Summed(IEnumerable<LedgerAccount> all) =>
        [.. all.GroupBy(a => a.Account).Select(g => new LedgerAccount { Account = g.Key, Seconds = Math.Round(g.Sum(a => a.Seconds), 3) }).OrderBy(a => Accounts.All.ToList().IndexOf(a.Account))];

    private const string Other = "Other";

    private static (string Cause, string? Node) CauseOf(Situation s, Move move, string account)
    {
        if (account == Accounts.CheckpointStall) return ("Checkpoint", null);
        if (account == Accounts.Pause) return ("Pause", null);
        if ((move.Memory.Incident ?? s.Seen.Memory.Incident) is { } incident) return (incident.Reason, incident.Severity is Severity.Node ? incident.Node : null);
        return s.Plan is { } plan ? (plan.Cause.Reason, plan.Cause.Node) : (Reasons.Start, null);
    }

    private static IEnumerable<GoodputSpan> Spans(GoodputSpan[] old, int minutes, int count, EquatableList<LedgerAccount> grown, EquatableList<LostTime> lost, DateTimeOffset now)
    {
        var length = TimeSpan.FromMinutes(minutes);
        var from = new DateTimeOffset(now.UtcTicks - now.UtcTicks % length.Ticks, TimeSpan.Zero);
        var current = old.FirstOrDefault(s => s.From == from) ?? new() { From = from, Minutes = minutes, Seconds = 0, Productive = 0 };
        return old.Where(s => s.From != from && from - s.From < length * count)
            .Append(current with
            {
                Seconds = Math.Round(current.Seconds + grown.Sum(a => a.Seconds), 3), Productive = Math.Round(current.Productive + grown.Where(a => a.Account == Accounts.Productive).Sum(a => a.Seconds), 3),
                Accounts = Summed(current.Accounts.Concat(grown.Where(a => a.Account != Accounts.Productive))), Lost = lost.Count == 0 ? current.Lost : Largest(current.Lost.Concat(lost), KeptOfSpan),
            }).OrderBy(s => s.From);
    }
}
