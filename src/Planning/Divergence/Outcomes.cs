using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>What came of an intervention, once that can be said: the trouble came back, or did not while the policy was ready to see it.</summary>
internal static class Outcomes
{
    /// <summary>Steps after which a change by hand counts as survived.</summary>
    private const int ByHand = 20;

    /// <summary>The entries with the outcomes that are known by now.</summary>
    public static EquatableList<LogbookEntry> Of(Situation s, EquatableList<LogbookEntry> book) =>
        book.Any(e => Waits(e)) ? [.. book.Select(e => Waits(e) && Find(s, e) is { } outcome ? e with { Outcome = outcome } : e)] : book;

    private static bool Waits(LogbookEntry entry) =>
        entry.Outcome is null && (PolicyOf(entry) is not null || entry.Actor == Overrides.User) && !entry.What.Contains("refused", StringComparison.Ordinal);

    private static string? Find(Situation s, LogbookEntry entry)
    {
        if (s.Plan is not { } plan) return null;
        var name = PolicyOf(entry);
        if (name is not null && plan.Firings.FirstOrDefault(f => f.Policy == name && !f.Replay && f.At > entry.Time) is { } again) return FormattableString.Invariant($"fired again at step {again.Step}, rung {again.Rung}");
        if (!s.HasStepped || plan is not { Rollback: null, Pause: null }) return null;
        var newest = s.Seen.Steps.Newest!;
        var enough = name is null ? ByHand : s.Job.Spec.DivergencePolicies.FirstOrDefault(p => p.Name == name)?.Cooldown.Steps ?? ByHand;
        return newest.Step <= entry.Step + enough ? null : FormattableString.Invariant($"trained on to step {newest.Step}, loss {newest.Loss?.ToString("G4", System.Globalization.CultureInfo.InvariantCulture) ?? "not finite"}{(name is null ? "" : ", without another firing")}");
    }

    private static string? PolicyOf(LogbookEntry entry) => entry.Actor.StartsWith("policy ", StringComparison.Ordinal) ? entry.Actor["policy ".Length..] : null;
}
