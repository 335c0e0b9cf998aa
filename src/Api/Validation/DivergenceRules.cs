using Opt.Api.V1Alpha1;

namespace Opt.Api.Validation;

/// <summary>Rules of divergence policies and overrides that are about more than one field.</summary>
internal static class DivergenceRules
{
    public static IEnumerable<SpecFault> Faults(OptTrainingJobSpec spec) => [.. Names(spec), .. spec.DivergencePolicies.SelectMany((p, i) => Policy(p, $"spec.divergencePolicies[{i}]")), .. Overrides(spec)];

    private static IEnumerable<SpecFault> Names(OptTrainingJobSpec spec) => spec.DivergencePolicies.Select((p, i) => (p.Name, Index: i)).GroupBy(p => p.Name).Where(g => g.Count() > 1)
        .Select(g => new SpecFault($"spec.divergencePolicies[{g.Last().Index}].name", $"\"{g.Key}\"", "must be unique within the job"));

    private static IEnumerable<SpecFault> Policy(DivergencePolicySpec policy, string path) =>
    [
        .. Trigger(policy.When, $"{path}.when"),
        .. Rung(policy.Then, $"{path}.then"),
        .. policy.Escalation.SelectMany((r, i) => Rung(r.Then, $"{path}.escalation[{i}].then")),
    ];

    private static IEnumerable<SpecFault> Trigger(DivergenceTriggerSpec when, string path)
    {
        var given = Leaves(when).Count() + (when.All.Count > 0 ? 1 : 0) + (when.Any.Count > 0 ? 1 : 0);
        if (given != 1) yield return new(path, $"{given} of them", "give exactly one of loss, validationLoss, lossScale, gradientNorm, activationNorm, skippedRate, all and any");
        foreach (var fault in Bounds(when, path)) yield return fault;
        foreach (var (trigger, place) in when.All.Select((t, i) => (t, $"{path}.all[{i}]")).Concat(when.Any.Select((t, i) => (t, $"{path}.any[{i}]"))))
        {
            if (Leaves(trigger).Count() != 1) yield return new(place, $"{Leaves(trigger).Count()} of them", "give exactly one signal");
            foreach (var fault in Bounds(trigger, place)) yield return fault;
        }
    }

    private static IEnumerable<(string Name, SignalBoundSpec Bound)> Leaves(SignalBounds t) => new (string, SignalBoundSpec?)[]
    {
        ("loss", t.Loss), ("validationLoss", t.ValidationLoss), ("lossScale", t.LossScale), ("gradientNorm", t.GradientNorm), ("activationNorm", t.ActivationNorm), ("skippedRate", t.SkippedRate),
    }.Where(l => l.Item2 is not null).Select(l => (l.Item1, l.Item2!));

    private static IEnumerable<SpecFault> Bounds(SignalBounds trigger, string path)
    {
        foreach (var (name, b) in Leaves(trigger))
        {
            var given = Count(b.Above, b.Below, b.Spike, b.Drift, b.NotFinite, b.Falls, b.Rises, b.Plateau);
            if (given != 1) yield return new($"{path}.{name}", $"{given} of them", "give exactly one of above, below, spike, drift, notFinite, falls, rises and plateau");
            if (b.Rises >= b.Window) yield return new($"{path}.{name}.rises", $"{b.Rises}", $"must be below window {b.Window}");
        }
    }

    private static IEnumerable<SpecFault> Rung(EquatableList<InterventionSpec> then, string path)
    {
        for (var i = 0; i < then.Count; i++)
        {
            var (action, place) = (then[i], $"{path}[{i}]");
            var given = Count(action.Rollback, action.LearningRate, action.GradientClip, action.LossScale, action.Optimizer, action.Change, action.SkipData, action.ReshuffleData, action.Pause, action.Notify);
            if (given != 1) yield return new(place, $"{given} of them", "give exactly one action");
            if (action.Rollback is { } r && Count(r.To, r.Checkpoints, r.Step) != 1) yield return new($"{place}.rollback", $"{Count(r.To, r.Checkpoints, r.Step)} of them", "give exactly one of to, checkpoints and step");
            var changes = new (string Name, double? Set, double? Multiply, bool Is)[]
            {
                ("learningRate", action.LearningRate?.Set, action.LearningRate?.Multiply, action.LearningRate is not null), ("gradientClip", action.GradientClip?.Set, action.GradientClip?.Multiply, action.GradientClip is not null),
                ("change", action.Change?.Set, action.Change?.Multiply, action.Change is not null),
            };
            foreach (var c in changes.Where(c => c.Is && Count(c.Set, c.Multiply) != 1)) yield return new($"{place}.{c.Name}", $"{Count(c.Set, c.Multiply)} of them", "give exactly one of set and multiply");
            if (action.LearningRate?.Set is 0) yield return new($"{place}.learningRate.set", "0", "must be above 0");
        }

        if (then.Any(a => a.SkipData is not null) && then.All(a => a.Rollback is null)) yield return new(path, "skipData", "needs a rollback beside it: samples already trained on cannot be taken back without one");
        if (then.Any(a => a.ReshuffleData is not null) && then.All(a => a.Rollback is null)) yield return new(path, "reshuffleData", "needs a rollback beside it: the order changes from the checkpoint on");
        if (then.Count(a => a.Rollback is not null) > 1) yield return new(path, "rollback", "give at most one");
    }

    private static IEnumerable<SpecFault> Overrides(OptTrainingJobSpec spec)
    {
        for (var i = 0; i < spec.Overrides.Count; i++)
        {
            var (given, path) = (spec.Overrides[i], $"spec.overrides[{i}]");
            if (given.Field is HyperParameterField.OptimizerType) yield return new($"{path}.field", "optimizerType", "change training.optimizer.type instead");
            if (given.Field is HyperParameterField.PeakLearningRate && given.Value <= 0) yield return new($"{path}.value", $"{given.Value}", "must be above 0");
            if (given.Field is HyperParameterField.Beta1 or HyperParameterField.Beta2 && given.Value >= 1) yield return new($"{path}.value", $"{given.Value}", "must be below 1");
            if (spec.Overrides.Take(i).Any(o => o.Field == given.Field)) yield return new($"{path}.field", $"{given.Field}", "must be given once");
        }
    }

    private static int Count(params object?[] values) => values.Count(v => v is not null);
}
