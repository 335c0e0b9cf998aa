using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>What a policy wants done.</summary>
/// <param name="Rung">0 for <see cref="DivergencePolicySpec.Then"/>, n for the n-th escalation.</param>
/// <param name="Onset">Index of the attempt at which the trouble began.</param>
/// <param name="At">Index of the attempt at which the policy fired.</param>
/// <param name="Exhausted">The policy's limit is used up: the job pauses and asks instead.</param>
public sealed record DivergenceDecision(DivergencePolicySpec Policy, int Rung, EquatableList<InterventionSpec> Interventions, int Onset, int At, bool Exhausted);

/// <summary>Evaluates policies over the step records of one lineage. Pure: the same history and firings give the same decisions.</summary>
public static class DivergencePolicies
{
    /// <summary>
    /// Decisions at the attempt of index <paramref name="last"/>, in the order of the policies: at most one that acts (the first in the
    /// spec wins, those after it wait for its cooldown), and any number in Shadow.
    /// </summary>
    public static IReadOnlyList<DivergenceDecision> Evaluate(EquatableList<DivergencePolicySpec> policies, IReadOnlyList<StepRecord> history, int last, IReadOnlyList<PolicyFiring> firings)
    {
        List<DivergenceDecision>? decisions = null;
        var acted = false;
        for (var place = 0; place < policies.Count; place++)
        {
            var policy = policies[place];
            var shadow = policy.Mode is PolicyMode.Shadow;
            if ((acted && !shadow) || !Trigger.Fires(policy.When, history, last) || IsSilent(policies, place, history, last, firings)) continue;
            (decisions ??= []).Add(Decide(policy, [.. firings.Where(f => f.Policy == policy.Name && f.Shadow == shadow && !f.Replay)], history, last));
            acted |= !shadow;
        }

        return decisions ?? [];
    }

    /// <summary>The memory of <paramref name="decision"/>.</summary>
    public static PolicyFiring Record(DivergenceDecision decision, StepRecord evidence, DateTimeOffset now) => new()
    {
        Policy = decision.Policy.Name, Step = evidence.Step, Epoch = evidence.Epoch, Attempt = evidence.Attempt, Rung = decision.Rung, At = now,
        Shadow = decision.Policy.Mode is PolicyMode.Shadow,
    };

    /// <summary>Whether the policy's cooldown has not passed at the newest attempt.</summary>
    public static bool IsCooling(DivergencePolicySpec policy, IReadOnlyList<StepRecord> history, IReadOnlyList<PolicyFiring> firings) =>
        firings.LastOrDefault(f => f.Policy == policy.Name && !f.Replay) is { } newest && Since(newest, history, history.Count - 1, policy.Cooldown.Steps) < policy.Cooldown.Steps;

    /// <summary>
    /// A policy is silent during its own cooldown and that of any policy before it in the list, so that trouble already being handled is
    /// not handled twice; one before the other may always fire, but never at the same attempt.
    /// </summary>
    private static bool IsSilent(EquatableList<DivergencePolicySpec> policies, int place, IReadOnlyList<StepRecord> history, int last, IReadOnlyList<PolicyFiring> firings)
    {
        var policy = policies[place];
        foreach (var firing in firings)
        {
            var own = firing.Policy == policy.Name;
            if (firing.Replay || firing.Shadow != policy.Mode is PolicyMode.Shadow || (firing.Shadow && !own)) continue;
            var cooldown = own ? policy.Cooldown.Steps : policies.Take(place).FirstOrDefault(p => p.Name == firing.Policy)?.Cooldown.Steps ?? 1;
            if (Since(firing, history, last, cooldown) < cooldown) return true;
        }

        return false;
    }

    /// <summary>
    /// Attempts made since a firing, at most <paramref name="enough"/>. Counted in attempts, not in steps: a rollback turns the step counter
    /// back, and a relapse right after it must climb a rung.
    /// </summary>
    private static int Since(PolicyFiring firing, IReadOnlyList<StepRecord> history, int last, int enough)
    {
        var count = 0;
        for (var at = last; at >= 0 && count < enough && (history[at].Epoch, history[at].Attempt).CompareTo((firing.Epoch, firing.Attempt)) > 0; at--) count++;
        return count;
    }

    private static DivergenceDecision Decide(DivergencePolicySpec policy, PolicyFiring[] firings, IReadOnlyList<StepRecord> history, int last)
    {
        var counted = firings.Where(f => !f.Hardware).ToArray();
        var recent = counted.Count(f => Math.Abs(history[last].Step - f.Step) <= policy.WindowSteps);
        var rung = Math.Min(recent, policy.Escalation.Count);
        var exhausted = counted.Length >= policy.Limit;
        var then = exhausted ? [new InterventionSpec { Pause = true }] : rung == 0 ? policy.Then : policy.Escalation[rung - 1].Then;
        // The trouble is at least as old as the run of attempts that the trigger asked for, however little is known of what is usual. A drift
        // began somewhere between the quarters of the window that are compared; its first steps are within the noise.
        var run = Signals.All(policy.When).Max(b => b.Bound.Drift is null ? b.Bound.ForSteps : Math.Max(b.Bound.ForSteps, 3 * b.Bound.Window / 4));
        return new(policy, rung, then, Math.Min(Onset.Find(history, last), Math.Max(0, last + 1 - run)), last, exhausted);
    }
}
