using System.Globalization;
using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>
/// What stops and days cost, for the logbook. A stop lasts from the last step before it until training has come back to where it was: what runs again belongs to it, and so
/// does what fails meanwhile. What the ledger said when it began is in the status, so an operator that restarts goes on counting.
/// </summary>
internal static class Losses
{
    private const int ShownCauses = 3;

    private static readonly (string Account, string Words)[] s_words =
    [
        (Accounts.Detect, "to detect it"), (Accounts.Diagnose, "to decide and diagnose"), (Accounts.Provision, "for machines"), (Accounts.Rendezvous, "to meet"), (Accounts.Restore, "to load"),
        (Accounts.Recompute, "of work done again"), (Accounts.CheckpointStall, "in checkpoint stalls"), (Accounts.Pause, "paused"),
    ];

    /// <param name="Notes">For the logbook.</param>
    public sealed record Result(LedgerMark? Stop, LedgerMark? Day, EquatableList<Note> Notes);

    /// <param name="now">The status after this pass, ledger and windows included.</param>
    /// <param name="at">The time of this pass.</param>
    public static Result Of(OptTrainingJobStatus? old, OptTrainingJobStatus now, DateTimeOffset at)
    {
        var (stop, stopped) = Stop(old, now);
        var (day, over) = Day(old, now, at);
        return new(stop, day, [.. new[] { stopped, over }.OfType<Note>()]);
    }

    private static (LedgerMark?, Note?) Stop(OptTrainingJobStatus? old, OptTrainingJobStatus now)
    {
        if (now.Phase is JobPhase.Succeeded or JobPhase.Failed) return (null, null);
        var began = old is { Phase: JobPhase.Running } && now.Phase is not JobPhase.Running && old.GoodputStop is null;
        var open = began ? new LedgerMark { Since = old!.GoodputAsOf ?? now.StartTime ?? default, Epoch = old.Epoch, Step = old.HighestStep, Goodput = old.Goodput } : old?.GoodputStop;
        // The step it stood at is stepped again, or the one after it is reached.
        if (open is null || now.Phase is not JobPhase.Running) return (open, null);
        if (now.Epoch == open.Epoch) return (null, null);   // it went on by itself
        if (now.Step < open.Step) return (open, null);
        var lost = Lost(open.Goodput, now.Goodput);
        return (null, new($"training again after {Time(lost.Sum(l => l.Seconds))} lost", $"epoch {now.Epoch} has come back to step {now.Step}: {Parts(lost)}; {Share(now)}"));
    }

    private static (LedgerMark?, Note?) Day(OptTrainingJobStatus? old, OptTrainingJobStatus now, DateTimeOffset at)
    {
        var today = new LedgerMark { Since = at, Epoch = now.Epoch, Step = now.Step, Goodput = now.Goodput };
        if (old?.GoodputDay is not { } day) return (today, null);
        if (now.Phase is JobPhase.Succeeded or JobPhase.Failed || day.Since.UtcDateTime.Date >= at.UtcDateTime.Date) return (day, null);
        var lost = Lost(day.Goodput, now.Goodput);
        var productive = Seconds(now.Goodput, Accounts.Productive) - Seconds(day.Goodput, Accounts.Productive);
        var whole = productive + lost.Sum(l => l.Seconds);
        var idle = lost.Where(l => l.Account == Accounts.Pause).Sum(l => l.Seconds);
        if (whole - idle < 60) return (today, null);   // suspended all day: nothing to tell
        var causes = now.LostTime.Take(ShownCauses).Select(l => $"{l.Cause}{(l.Node is null ? "" : $" ({l.Node})")} {Time(l.Seconds)}").ToArray();
        var name = day.Since.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        return (today, new($"ledger of {name}: {Percent(productive / whole)} productive",
            $"{now.Step - day.Step} steps in {Time(whole)}; lost: {Parts(lost)}; {Share(now)}{(causes.Length == 0 ? "" : $"; most lost so far to {string.Join(", ", causes)}")}"));
    }

    private static (string Account, double Seconds)[] Lost(EquatableList<LedgerAccount> before, EquatableList<LedgerAccount> after) =>
        [.. s_words.Select(w => (w.Account, Seconds: Math.Max(0, Seconds(after, w.Account) - Seconds(before, w.Account))))];

    private static string Parts((string Account, double Seconds)[] lost) => lost.Where(l => l.Seconds >= 0.1).Select(l => $"{Time(l.Seconds)} {s_words.First(w => w.Account == l.Account).Words}").ToArray() is { Length: > 0 } parts ? string.Join(", ", parts) : "nothing";

    /// <summary>Effective training time over all time so far, and over the last day where there was more than one.</summary>
    private static string Share(OptTrainingJobStatus now)
    {
        var total = now.Goodput.Sum(a => a.Seconds);
        var day = now.GoodputWindows.FirstOrDefault(w => w.Window == "24h");
        return $"ETTR {Percent(Seconds(now.Goodput, Accounts.Productive) / Math.Max(total, 1e-9))} of {Span(total)}{(day is null || total <= day.Seconds ? "" : $", {Percent(day.Percent / 100)} of the last 24 h")}";
    }

    private static double Seconds(EquatableList<LedgerAccount> accounts, string name) => accounts.FirstOrDefault(a => a.Account == name)?.Seconds ?? 0;

    private static string Percent(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Time(double seconds) => (seconds < 10 ? seconds.ToString("0.#", CultureInfo.InvariantCulture) : seconds.ToString("0", CultureInfo.InvariantCulture)) + " s";

    private static string Span(double seconds) => seconds switch
    {
        >= 2 * 86400 => (seconds / 86400).ToString("0.#", CultureInfo.InvariantCulture) + " d",
        >= 2 * 3600 => (seconds / 3600).ToString("0.#", CultureInfo.InvariantCulture) + " h",
        _ => (seconds / 60).ToString("0.#", CultureInfo.InvariantCulture) + " min",
    };
}
