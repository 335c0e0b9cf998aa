using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Divergence;

/// <summary>The part of the status that is about policies and hyper-parameters.</summary>
internal static class DivergenceReport
{
    /// <summary>Value, author and proof of every live hyper-parameter.</summary>
    public static EquatableList<HyperParameterStatus> HyperParameters(Situation s)
    {
        if (s.Plan is not { } plan) return [];
        var reported = s.HasStepped ? s.Seen.Steps.Newest!.HyperParameters : null;
        return
        [
            .. HyperParameterFields.All.Select(field =>
            {
                var set = plan.Overrides.LastOrDefault(o => o.Field == field);
                return new HyperParameterStatus
                {
                    Name = HyperParameterFields.Name(field), Value = Text(plan.Training.HyperParameters, field), SetBy = set?.By ?? "spec", Since = set?.Since, SinceStep = set?.SinceStep,
                    Reported = reported is null ? null : Text(reported, field),
                };
            }),
        ];
    }

    public static EquatableList<DivergencePolicyStatus> Policies(Situation s) => [.. s.Job.Spec.DivergencePolicies.Select(policy =>
    {
        var firings = (s.Plan?.Firings ?? []).Where(f => f.Policy == policy.Name && !f.Replay).ToArray();
        var state = policy.Mode is PolicyMode.Shadow ? "Shadow"
            : firings.Count(f => f is { Shadow: false, Hardware: false }) >= policy.Limit ? "Exhausted"
            : DivergencePolicies.IsCooling(policy, s.Seen.Steps.History, firings) ? "CoolingDown" : "Armed";
        return new DivergencePolicyStatus { Name = policy.Name, State = state, Firings = firings.Length, Rung = firings.LastOrDefault()?.Rung, LastFired = firings.LastOrDefault()?.At, LastStep = firings.LastOrDefault()?.Step };
    })];

    /// <summary>Only the step records prove what is in force; the agreement of the ranks is part of each.</summary>
    public static Fact Applied(Situation s)
    {
        if (s.Plan is not { } plan || !s.HasStepped) return new(ConditionTypes.OverrideApplied, "Unknown", "NoSteps", "no step of this epoch was reported yet");
        var newest = s.Seen.Steps.Newest!;
        if (newest.Revision < plan.Revision) return Fact.False(ConditionTypes.OverrideApplied, "Pending", $"revision {plan.Revision} is not in force yet; attempt {newest.Attempt} ran revision {newest.Revision}");
        return Differs(s) is { } difference ? Fact.False(ConditionTypes.OverrideApplied, "Differs", $"the trainer reports other values than it was given: {difference}")
            : Fact.True(ConditionTypes.OverrideApplied, "Reported", $"every rank reports the values of epoch {plan.Epoch}, revision {plan.Revision}");
    }

    /// <summary>How the values reported in force differ from those of the same revision; null when they do not.</summary>
    public static string? Differs(Situation s)
    {
        if (s.Plan is not { } plan || !s.HasStepped || s.Seen.Steps.Newest!.Revision != plan.Revision) return null;
        var (given, reported) = (plan.Training.HyperParameters, s.Seen.Steps.Newest.HyperParameters);
        return given == reported ? null : HyperParameterFields.Differences(given, reported) is { Length: > 0 } named ? named : "an order to reset";
    }

    private static string Text(HyperParameters values, HyperParameterField field) => HyperParameterFields.Text(field, HyperParameterFields.Get(values, field));
}
