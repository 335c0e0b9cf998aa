using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>What the policies say of the records that came since the last pass.</summary>
/// <param name="Decisions">Of the first attempt at which any fired; empty for none.</param>
/// <param name="To">The newest record that need not be judged again: one that fired is, until a plan remembers the firing.</param>
internal sealed record Judgement(IReadOnlyList<DivergenceDecision> Decisions, JudgedStatus? To)
{
    public static Judgement Of(Situation s)
    {
        var judged = s.Seen.Memory.Judged ?? s.Job.Status?.Judged;
        // While a rollback is on its way the records are of an epoch that is given up.
        if (s.Plan is not { Rollback: null, Pause: null } plan) return new([], judged);
        var history = s.Seen.Steps.History;
        for (var at = First(history, judged); at < history.Count; at++)
        {
            if (history[at].Epoch != plan.Epoch) continue;
            if (DivergencePolicies.Evaluate(s.Job.Spec.DivergencePolicies, history, at, plan.Firings) is { Count: > 0 } decisions) return new(decisions, judged);
            judged = new() { Epoch = history[at].Epoch, Attempt = history[at].Attempt };
        }

        return new([], judged);
    }

    private static int First(IReadOnlyList<StepRecord> history, JudgedStatus? judged)
    {
        var at = history.Count;
        while (at > 0 && (history[at - 1].Epoch, history[at - 1].Attempt).CompareTo((judged?.Epoch ?? 0, judged?.Attempt ?? 0)) > 0) at--;
        return at;
    }
}
