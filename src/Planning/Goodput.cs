using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>The ledger by time and by cause: what was charged in one pass is added to spans of the clock and to whatever caused it.</summary>
internal static class Goodput
{
    private const int KeptCauses = 32;
    private static readonly (string Name, int Minutes, int Spans)[] s_windows = [("1h", 5, 12), ("24h", 60, 24)];

    /// <summary>The spans after this pass.</summary>
    /// <param name="seconds">Time charged in it, all accounts together.</param>
    public static EquatableList<GoodputSpan> History(EquatableList<GoodputSpan> old, double seconds, double productive, DateTimeOffset now)
    {
        if (seconds <= 0) return old;
        return [.. s_windows.SelectMany(w => Spans([.. old.Where(s => s.Minutes == w.Minutes)], w.Minutes, w.Spans, seconds, productive, now))];
    }

    public static EquatableList<GoodputWindow> Windows(EquatableList<GoodputSpan> history) => [.. s_windows.Select(w => (w.Name, Spans: history.Where(s => s.Minutes == w.Minutes).ToArray())).Where(w => w.Spans.Length > 0)
        .Select(w => new GoodputWindow { Window = w.Name, Seconds = Math.Round(w.Spans.Sum(s => s.Seconds), 1), Percent = Math.Round(100 * w.Spans.Sum(s => s.Productive) / w.Spans.Sum(s => s.Seconds), 2) })];

    /// <summary>Adds what each account grew by to its cause.</summary>
    public static EquatableList<LostTime> Lost(Situation s, Move move, EquatableList<LostTime> old, EquatableList<LedgerAccount> before, EquatableList<LedgerAccount> after)
    {
        var lost = old.ToDictionary(l => (l.Cause, l.Node), l => l.Seconds);
        foreach (var account in after.Where(a => a.Account != Accounts.Productive))
        {
            var grown = account.Seconds - (before.FirstOrDefault(b => b.Account == account.Account)?.Seconds ?? 0);
            if (grown > 0) lost[CauseOf(s, move, account.Account)] = lost.GetValueOrDefault(CauseOf(s, move, account.Account)) + grown;
        }

        var sorted = lost.Select(l => new LostTime { Cause = l.Key.Cause, Node = l.Key.Node, Seconds = Math.Round(l.Value, 3) }).OrderBy(l => l.Cause == Other ? 1 : 0)
            .ThenByDescending(l => l.Seconds).ThenBy(l => l.Cause, StringComparer.Ordinal).ThenBy(l => l.Node, StringComparer.Ordinal).ToArray();
        var rest = sorted.Skip(KeptCauses).Sum(l => l.Seconds);
        return rest <= 0 ? [.. sorted] : [.. sorted.Take(KeptCauses), new LostTime { Cause = Other, Seconds = Math.Round(rest, 3) }];
    }

    private const string Other = "Other";

    private static (string Cause, string? Node) CauseOf(Situation s, Move move, string account)
    {
        if (account == Accounts.CheckpointStall) return ("Checkpoint", null);
        if (account == Accounts.Pause) return ("Pause", null);
        if ((move.Memory.Incident ?? s.Seen.Memory.Incident) is { } incident) return (incident.Reason, incident.Severity is Severity.Node ? incident.Node : null);
        return s.Plan is { } plan ? (plan.Cause.Reason, plan.Cause.Node) : (Reasons.Start, null);
    }

    private static IEnumerable<GoodputSpan> Spans(GoodputSpan[] old, int minutes, int count, double seconds, double productive, DateTimeOffset now)
    {
        var length = TimeSpan.FromMinutes(minutes);
        var from = new DateTimeOffset(now.UtcTicks - now.UtcTicks % length.Ticks, TimeSpan.Zero);
        var current = old.FirstOrDefault(s => s.From == from) ?? new() { From = from, Minutes = minutes, Seconds = 0, Productive = 0 };
        return old.Where(s => s.From != from && from - s.From < length * count)
            .Append(current with { Seconds = Math.Round(current.Seconds + seconds, 3), Productive = Math.Round(current.Productive + productive, 3) }).OrderBy(s => s.From);
    }
}
