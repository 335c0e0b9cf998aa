using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>One past firing; kept in the plan with the decision it caused, so that decision and memory are one write.</summary>
public sealed record PolicyFiring
{
    public required string Policy { get; init; }

    /// <summary>Successful updates when it fired.</summary>
    public required long Step { get; init; }

    /// <summary>Epoch and attempt at which it fired; the same attempt never fires it again.</summary>
    public required long Epoch { get; init; }

    public required long Attempt { get; init; }

    /// <summary>0 for the first rung.</summary>
    public required int Rung { get; init; }

    public required DateTimeOffset At { get; init; }
}

/// <summary>What a policy wants done.</summary>
/// <param name="Rung">0 for <see cref="DivergencePolicySpec.Then"/>, n for the n-th escalation.</param>
/// <param name="OnsetStep">Checkpoints above this step are condemned.</param>
/// <param name="Exhausted">The policy's limit is used up: the job pauses and asks instead.</param>
public sealed record DivergenceDecision(DivergencePolicySpec Policy, int Rung, EquatableList<InterventionSpec> Interventions, long OnsetStep, StepRecord Evidence, bool Exhausted);

/// <summary>Evaluates policies over the step records of one lineage. Pure: the same history and firings give the same decisions.</summary>
public static class DivergencePolicies
{
    /// <summary>
    /// Decisions at the newest attempt, in the order of the policies: at most one that acts (the first in the spec wins, the others stay
    /// armed), and any number in Shadow.
    /// </summary>
    public static IReadOnlyList<DivergenceDecision> Evaluate(EquatableList<DivergencePolicySpec> policies, IReadOnlyList<StepRecord> history, IReadOnlyList<PolicyFiring> firings)
    {
        if (history.Count == 0) return [];
        var decisions = new List<DivergenceDecision>();
        var acted = false;
        foreach (var policy in policies)
        {
            var own = firings.Where(f => f.Policy == policy.Name).ToArray();
            if ((acted && policy.Mode is PolicyMode.Enforce) || Silent(policy, own, history) || !Trigger.Fires(policy.When, history)) continue;
            decisions.Add(Decide(policy, own, history));
            acted |= policy.Mode is PolicyMode.Enforce;
        }

        return decisions;
    }

    /// <summary>The memory of <paramref name="decision"/>.</summary>
    public static PolicyFiring Record(DivergenceDecision decision, DateTimeOffset now) =>
        new() { Policy = decision.Policy.Name, Step = decision.Evidence.Step, Epoch = decision.Evidence.Epoch, Attempt = decision.Evidence.Attempt, Rung = decision.Rung, At = now };

    /// <summary>Counted in attempts made since, not in steps: a rollback turns the step counter back, and a relapse right after it must climb a rung.</summary>
    private static bool Silent(DivergencePolicySpec policy, PolicyFiring[] firings, IReadOnlyList<StepRecord> history) =>
        firings.Length > 0 && history.Count(r => Since(firings[^1], r)) is var since && (since == 0 || since < policy.Cooldown.Attempts);

    private static bool Since(PolicyFiring firing, StepRecord record) => record.Epoch > firing.Epoch || (record.Epoch == firing.Epoch && record.Attempt > firing.Attempt);

    private static DivergenceDecision Decide(DivergencePolicySpec policy, PolicyFiring[] firings, IReadOnlyList<StepRecord> history)
    {
        var recent = firings.Count(f => Math.Abs(history[^1].Step - f.Step) <= policy.WindowSteps);
        var rung = Math.Min(recent, policy.Escalation.Count);
        var exhausted = firings.Length >= policy.Limit;
        var then = exhausted ? [new InterventionSpec { Pause = true }] : rung == 0 ? policy.Then : policy.Escalation[rung - 1].Then;
        return new(policy, rung, then, Onset.Find(history), history[^1], exhausted);
    }
}
