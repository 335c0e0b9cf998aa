using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>Which value of a hyper-parameter is in force: spec.overrides, then policies, then the spec; a checkpoint's values never are.</summary>
internal static class Overrides
{
    public const string User = "user";

    /// <summary>What should be in force under the spec as it is now, with the overrides that survive it.</summary>
    public static (HyperParameters Values, EquatableList<HyperParameterOverride> Kept) Resolve(Situation s)
    {
        var (desired, plan) = (s.Desired.HyperParameters, s.Plan);
        // A later change of the field by the user ends a policy's override; re-applying the same spec does not.
        var kept = (plan?.Overrides ?? []).Where(o => o.By != User && HyperParameterFields.Get(desired, o.Field).Equals(o.SpecValue) && s.Job.Spec.Overrides.All(u => u.Field != o.Field || IsOver(u, s.Now)))
            .Concat(s.Job.Spec.Overrides.Where(o => !IsOver(o, s.Now)).Select(o => ByUser(s, o, desired))).ToArray();
        var values = kept.Aggregate(desired, (v, o) => HyperParameterFields.With(v, o.Field, o.Value));
        // Orders that are obeyed once stay: a spec edit must not look like another one.
        return (values with { LossScaleReset = plan?.Training.HyperParameters.LossScaleReset, OptimizerReset = plan?.Training.HyperParameters.OptimizerReset }, [.. kept]);
    }

    /// <summary>The overrides after a policy changed values: one for each field that moved.</summary>
    public static EquatableList<HyperParameterOverride> After(Situation s, DivergenceDecision decision, StepRecord evidence, HyperParameters before, HyperParameters after)
    {
        var until = decision.Interventions.Select(i => i.Optimizer?.Steps).FirstOrDefault(n => n is not null);
        var moved = HyperParameterFields.All.Where(f => !HyperParameterFields.Get(before, f).Equals(HyperParameterFields.Get(after, f))).Select(field => new HyperParameterOverride
        {
            Field = field, Value = HyperParameterFields.Get(after, field), SpecValue = s.Plan!.Overrides.FirstOrDefault(o => o.Field == field)?.SpecValue ?? HyperParameterFields.Get(before, field),
            By = $"policy {decision.Policy.Name}", Since = s.Now, SinceStep = evidence.Step, Reason = $"fired at step {evidence.Step}",
            UntilStep = until is { } steps && IsOfOptimizer(field) ? evidence.Step + steps : null, ReleaseAfterSteps = decision.Policy.ReleaseAfterSteps,
        }).ToArray();
        return [.. s.Plan!.Overrides.Where(o => moved.All(m => m.Field != o.Field)), .. moved];
    }

    /// <summary>Returns what has run its time to the spec's values; null when there is nothing to return.</summary>
    public static Move? Release(Situation s)
    {
        if (s.Plan is not { Pause: null, Rollback: null } plan || !s.HasStepped || !Revisions.IsSettled(s)) return null;
        var step = s.Seen.Steps.Newest!.Step;
        var over = plan.Overrides.Where(o => IsOver(s, o, step)).ToArray();
        return over.Length == 0 ? null : Revisions.Write(s, Without(s, over, "operator", $"release-{plan.Epoch}-{plan.Revision + 1}", "the time of the override is over"));
    }

    public static RunPlan Without(Situation s, IReadOnlyList<HyperParameterOverride> over, string actor, string causeId, string why)
    {
        var before = s.Plan!.Training.HyperParameters;
        var values = over.Aggregate(before, (v, o) => HyperParameterFields.With(v, o.Field, o.SpecValue));
        var what = $"released {string.Join(", ", over.Select(o => HyperParameterFields.Name(o.Field)))} ({HyperParameterFields.Differences(before, values)})";
        var record = new InterventionRecord { Actor = actor, What = what, Why = why, Step = s.Seen.Steps.Newest?.Step ?? 0 };
        return Revisions.Next(s, new() { Id = causeId, Reason = Reasons.HyperParametersChanged, Message = $"{actor}: {what}" }, record).Valued(values, [.. s.Plan.Overrides.Where(o => !over.Contains(o))]);
    }

    /// <summary>A person's override whose time is over, which no edit of the spec announces.</summary>
    private static bool IsOver(Situation s, HyperParameterOverride o, long step)
    {
        if (o.By == User) return s.Job.Spec.Overrides.FirstOrDefault(u => u.Field == o.Field) is { } given && IsOver(given, s.Now);
        if (o.UntilStep is { } until) return step >= until;
        return o.ReleaseAfterSteps is { } after && step - Math.Max(o.SinceStep, s.Plan!.Firings.Where(f => $"policy {f.Policy}" == o.By && !f.Shadow).Select(f => f.Step).DefaultIfEmpty(0).Max()) >= after;
    }

    private static bool IsOver(OverrideSpec given, DateTimeOffset now) => given.Expires is { } end && end <= now;

    private static HyperParameterOverride ByUser(Situation s, OverrideSpec given, HyperParameters desired) =>
        s.Plan?.Overrides.FirstOrDefault(o => o.By == User && o.Field == given.Field && o.Value.Equals(given.Value) && o.Reason == given.Reason && o.SpecValue.Equals(HyperParameterFields.Get(desired, given.Field)))
        ?? new() { Field = given.Field, Value = given.Value, SpecValue = HyperParameterFields.Get(desired, given.Field), By = User, Since = s.Now, SinceStep = s.Seen.Steps.Newest?.Step ?? 0, Reason = given.Reason };

    private static bool IsOfOptimizer(HyperParameterField field) => field is HyperParameterField.OptimizerType or HyperParameterField.Beta1 or HyperParameterField.Beta2 or HyperParameterField.Eps or HyperParameterField.WeightDecay;
}
