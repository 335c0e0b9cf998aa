using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>
/// Turns a firing into a revision of the plan: absolute values, the rollback to make, the memory of the firing. Whoever dies after that
/// write, the next operator goes on from it; before it nothing was decided, and the same records give the same decision again.
/// </summary>
internal static class DivergenceWatch
{
    public static Move? Decide(Situation s)
    {
        if (s.Judgement.Decisions is not { Count: > 0 } decisions) return Replays.Verdict(s) ?? Held(s);
        var plan = s.Plan!;
        var evidence = s.Seen.Steps.History[decisions[0].At];
        var acting = decisions.FirstOrDefault(d => d.Policy.Mode is PolicyMode.Enforce);
        var place = acting is null ? null : Suspects.Find(plan, acting.Policy, s.Seen.Steps.History, acting.Onset, acting.At);
        var suspect = place is { } member ? plan.Members[member] : null;
        var replayed = acting is not null && suspect is null && Replays.IsWanted(s, acting);
        var firings = decisions.Select(d => DivergencePolicies.Record(d, evidence, s.Now) with { Hardware = d == acting && suspect is not null, Member = d == acting ? place : null, Replay = d == acting && replayed });
        var id = $"policy-{(acting ?? decisions[0]).Policy.Name}-{evidence.Epoch}-{evidence.Attempt}";
        var outcome = acting is null ? Shadowed(decisions, evidence, s) : suspect is not null ? Blamed(s, acting, evidence, suspect, id) : replayed ? Replayed(s, acting, evidence, id) : Acted(s, acting, evidence, id);
        var cause = new PlanCause { Id = id, Reason = suspect is not null ? Reasons.DivergenceHardware : replayed ? Reasons.DivergenceReplay : Reasons.Divergence, Message = $"{outcome.Record.Actor}: {outcome.Record.What}" };
        return Revisions.Write(s, (Revisions.Next(s, cause, outcome.Record) with { Rollback = outcome.Rollback, Pause = outcome.Pause, Replay = replayed ? Replays.Order(acting!, evidence, outcome.Rollback!.CauseId) : acting is null ? s.Plan!.Replay : null }).Valued(outcome.Values, outcome.Overrides).Remembering(firings));
    }

    /// <summary>An override that silently did nothing cost OPT a day: a job whose trainer runs with other values than it was given is held.</summary>
    private static Move? Held(Situation s)
    {
        if (s.Plan is not { Pause: null, Rollback: null } plan || DivergenceReport.Differs(s) is not { } difference) return null;
        return Revisions.Write(s, Pausing.Paused(s, $"differs-{plan.Epoch}-{plan.Revision}", $"the trainer reports other values than it was given: {difference}", null));
    }

    private sealed record Outcome(InterventionRecord Record, HyperParameters Values, EquatableList<HyperParameterOverride> Overrides, RollbackOrder? Rollback = null, PauseOrder? Pause = null);

    private static Outcome Shadowed(IReadOnlyList<DivergenceDecision> decisions, StepRecord evidence, Situation s) =>
        Nothing(s, decisions[0], evidence, $"would have (Shadow): {string.Join("; ", decisions.SelectMany(d => d.Interventions).Select(Described))}");

    /// <summary>One machine stood apart: it is replaced and the run goes back, and no hyper-parameter moves.</summary>
    private static Outcome Blamed(Situation s, DivergenceDecision decision, StepRecord evidence, PlanMember suspect, string id)
    {
        var what = $"replace {suspect.Node} and go back before step {OnsetStep(s, decision)}: only its ranks stood apart ({Outliers(s, decision)})";
        var order = Order(s, decision, evidence, new() { To = RollbackTarget.LastHealthy }, id) with { Node = suspect.Node, Pod = suspect.Pod, Reason = Reasons.DivergenceHardware, Message = what };
        return Nothing(s, decision, evidence, what) with { Rollback = order };
    }

    /// <summary>Nothing moves: the same data with the same values will say whether it was the numbers.</summary>
    private static Outcome Replayed(Situation s, DivergenceDecision decision, StepRecord evidence, string id)
    {
        var what = $"run the same data again from before step {OnsetStep(s, decision)}, values unchanged: numbers or hardware?";
        var back = decision.Interventions.Select(i => i.Rollback).FirstOrDefault(r => r is not null);
        var order = Order(s, decision, evidence, new() { To = RollbackTarget.LastHealthy, Otherwise = back?.Otherwise ?? MissingTarget.Pause }, id) with { SkipFrom = null, Reshuffle = 0, Reason = Reasons.DivergenceReplay, Message = $"policy {decision.Policy.Name}: {what}" };
        return Nothing(s, decision, evidence, what) with { Rollback = order };
    }

    private static Outcome Acted(Situation s, DivergenceDecision decision, StepRecord evidence, string id)
    {
        var before = s.Plan!.Training.HyperParameters;
        var values = decision.Interventions.Aggregate(before, (v, change) => LiveChanges.Apply(v, change, id));
        var overrides = Overrides.After(s, decision, evidence, before, values);
        var changed = HyperParameterFields.Differences(before, values);
        var what = string.Join("; ", decision.Interventions.Select(Described)) + (changed.Length == 0 ? "" : $" ({changed})") + (decision.Exhausted ? $" (limit of {decision.Policy.Limit} firings used up)" : "") + (s.Plan.Replay?.Policy != decision.Policy.Name ? "" : " (it came back when the same data were run again)");
        var rollback = decision.Interventions.Select(i => i.Rollback).FirstOrDefault(r => r is not null);
        var order = rollback is null ? null : Order(s, decision, evidence, rollback, id) with { Message = $"policy {decision.Policy.Name}: {what}" };
        var outcome = Nothing(s, decision, evidence, what) with { Values = values, Overrides = overrides, Rollback = order };
        if (decision.Interventions.All(i => i.Pause is not true)) return outcome;
        // When people let it go on, it must not go on from what is broken.
        var later = order ?? Order(s, decision, evidence, new() { To = RollbackTarget.LastHealthy }, id);
        return outcome with { Rollback = null, Pause = new() { By = outcome.Record.Actor, Reason = $"{what}: {outcome.Record.Why}", Since = s.Now, SpecGeneration = s.Job.Metadata.Generation, Rollback = later } };
    }

    private static RollbackOrder Order(Situation s, DivergenceDecision decision, StepRecord evidence, RollbackSpec to, string id)
    {
        var skip = decision.Interventions.Select(i => i.SkipData).FirstOrDefault(d => d is not null);
        var history = s.Seen.Steps.History;
        return new()
        {
            CauseId = $"rollback-{id}", Reason = Reasons.Divergence, Message = $"policy {decision.Policy.Name}", To = to, OnsetStep = OnsetStep(s, decision),
            SkipFrom = skip?.From,
            OnsetSamples = decision.Onset > 0 ? history[decision.Onset - 1].Samples : 0,
            Reshuffle = (decision.Interventions.Select(i => i.ReshuffleData).FirstOrDefault(d => d is not null)?.Batches ?? 0L) * s.Plan!.Training.BatchSequences,
            SkipTo = evidence.Samples + (long)(skip?.AlsoNext ?? 0) * s.Plan!.Training.BatchSequences,
        };
    }

    private static long OnsetStep(Situation s, DivergenceDecision decision) => Onset.StepBefore(s.Seen.Steps.History, decision.Onset);

    private static Outcome Nothing(Situation s, DivergenceDecision decision, StepRecord evidence, string what)
    {
        var why = Evidence.Of(decision.Policy, s.Seen.Steps.History, decision.Onset, decision.At);
        var record = new InterventionRecord { Actor = $"policy {decision.Policy.Name}", What = what, Why = why, Step = evidence.Step };
        return new(record, s.Plan!.Training.HyperParameters, s.Plan.Overrides);
    }

    private static string Outliers(Situation s, DivergenceDecision d) => string.Join(", ", s.Seen.Steps.History.Skip(Math.Max(0, d.Onset - 2)).SelectMany(r => r.Outliers).DistinctBy(o => (o.Rank, o.Signal)).Take(4)
        .Select(o => FormattableString.Invariant($"rank {o.Rank} {o.Signal} {o.Value?.ToString("G3") ?? "not finite"}, typical {o.Typical:G3}")));

    private static string Described(InterventionSpec i)
    {
        if (i.Rollback is { } r) return r.Step is { } step ? $"roll back to step {step}" : r.Checkpoints is { } back ? $"roll back {back} checkpoints" : "roll back to the last healthy checkpoint before the onset";
        if (i.LearningRate is { } rate) return FormattableString.Invariant($"learning rate {(rate.Set is { } set ? $"{set:G4}" : $"x {rate.Multiply:G4}")}");
        if (i.GradientClip is { } clip) return FormattableString.Invariant($"gradient clip {(clip.Set is { } set ? $"{set:G4}" : $"x {clip.Multiply:G4}")}");
        if (i.LossScale is { } scale) return FormattableString.Invariant($"loss scale {scale:G4}");
        if (i.Optimizer is { } optimizer) return $"optimizer {optimizer.Type?.ToString().ToLowerInvariant() ?? "constants"}{(optimizer.State is OptimizerState.Drop ? ", state dropped" : "")}{(optimizer.Steps is { } n ? $", for {n} steps" : "")}";
        if (i.Change is { } change) return FormattableString.Invariant($"{HyperParameterFields.Name(change.Field)} {(change.Set is { } set ? $"{set:G4}" : $"x {change.Multiply:G4}")}");
        if (i.SkipData is not null) return "skip the data that led to it";
        if (i.ReshuffleData is { } order) return FormattableString.Invariant($"read the next {order.Batches} batches in another order");
        return i.Pause is true ? "pause for a human" : i.Notify ?? "nothing";
    }
}
