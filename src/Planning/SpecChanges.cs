using System.Globalization;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.Validation;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>An edited spec against the plan in force: live values become a new revision, the rest a relaunch after a drain.</summary>
internal static class SpecChanges
{
    /// <summary>Policies: those of divergence alone, which move no value and are in force at once.</summary>
    public enum Kind { None, Live, Policies, Relaunch, Immutable }

    public sealed record Change(Kind Kind, string What, EquatableList<SpecFault> Faults);

    private static readonly Change Nothing = new(Kind.None, "", []);

    /// <summary>Compares resolved values, and only when the user wrote a newer spec than the plan was made from.</summary>
    public static Change Of(Situation s)
    {
        if (s.Plan is not { } plan || plan.SpecGeneration == s.Job.Metadata.Generation) return Nothing;
        if (Immutability.Faults(plan.Training, s.Desired) is { Count: > 0 } faults) return new(Kind.Immutable, "", faults);
        if (plan.Members.Count != s.Nodes && !Sizing.IsShort(s)) return new(Kind.Relaunch, $"topology.nodes {plan.Members.Count} -> {s.Nodes}", []);
        // The pod template brings the store along; a change of either recreates the pods, which is another policy's business.
        var others = s.Desired with { HyperParameters = plan.Training.HyperParameters, Checkpoint = plan.Training.Checkpoint };
        if (others != plan.Training) return new(Kind.Relaunch, Named(plan.Training, others), []);
        var live = string.Join(", ", new[] { Named(plan.Training.HyperParameters, Overrides.Resolve(s).Values), Named(plan.Training.Checkpoint, s.Desired.Checkpoint) }.Where(n => n.Length > 0));
        var policies = s.Stored!.Policies is { } before ? Named(before, s.Job.Spec.DivergencePolicies) : "";
        return (live.Length, policies.Length) switch
        {
            (0, 0) => Nothing,
            (0, _) => new(Kind.Policies, policies, []),
            _ => new(Kind.Live, policies.Length > 0 ? $"{live}, {policies}" : live, []),
        };
    }

    /// <summary>The plan with the new live values, one revision up.</summary>
    public static RunPlan Revise(Situation s, Change change)
    {
        var (values, overrides) = Overrides.Resolve(s);
        var cause = new PlanCause { Id = $"spec-{s.Job.Metadata.Generation}", Reason = Reasons.HyperParametersChanged, Message = $"the spec changed {change.What}" };
        var record = new InterventionRecord { Actor = Overrides.User, What = $"edited the spec: {change.What}", Why = $"generation {s.Job.Metadata.Generation} of the spec", Step = s.Seen.Steps.Newest?.Step ?? s.Plan!.Resume?.Step ?? 0 };
        var revision = Revisions.Next(s, cause, record).Valued(values, overrides) with { SpecGeneration = s.Job.Metadata.Generation };
        // Another store comes with other pods, never with a revision.
        return revision with { Training = revision.Training with { Checkpoint = s.Desired.Checkpoint with { Store = revision.Training.Checkpoint.Store } } };
    }

    private static string Named(CheckpointSpec old, CheckpointSpec now)
    {
        if (old == now with { Store = old.Store }) return "";
        var names = new (string Name, bool Differs)[] { ("checkpoint.every", old.Every != now.Every), ("checkpoint.keep", old.Keep != now.Keep), ("checkpoint.healthyWhen", old.HealthyWhen != now.HealthyWhen) };
        var named = string.Join(", ", names.Where(n => n.Differs).Select(n => n.Name));
        return named.Length > 0 ? named : "checkpoint";
    }

    private static string Named(TrainingConfig old, TrainingConfig now)
    {
        var names = new (string Name, bool Differs)[]
        {
            ("model.dropout", old.Model != now.Model), ("pod.device", old.Device != now.Device), ("data", old.Data != now.Data), ("training.batchTokens", old.BatchSequences != now.BatchSequences),
            ("training.microBatchSequences", old.MicroBatchSequences != now.MicroBatchSequences), ("training.activationCheckpointing", old.ActivationCheckpointing != now.ActivationCheckpointing),
            ("training.reshardAfterForward", old.ReshardAfterForward != now.ReshardAfterForward), ("training.masterWeights", old.MasterWeights != now.MasterWeights),
            ("topology.dataParallelShard", old.DataParallelShard != now.DataParallelShard),
        };
        return string.Join(", ", names.Where(n => n.Differs).Select(n => n.Name));
    }

    private static string Named(EquatableList<DivergencePolicySpec> old, EquatableList<DivergencePolicySpec> now)
    {
        if (old == now) return "";
        var before = old.DistinctBy(p => p.Name).ToDictionary(p => p.Name, StringComparer.Ordinal);
        string[] named =
        [
            .. now.Where(p => !before.ContainsKey(p.Name)).Select(p => $"policy {p.Name} added ({p.Mode})"),
            .. now.Where(p => before.TryGetValue(p.Name, out var was) && was != p).Select(p => before[p.Name] with { Mode = p.Mode } == p ? $"policy {p.Name} {before[p.Name].Mode} -> {p.Mode}" : $"policy {p.Name} changed"),
            .. old.Where(p => now.All(n => n.Name != p.Name)).Select(p => $"policy {p.Name} removed"),
        ];
        return named.Length > 0 ? string.Join(", ", named) : "order of the policies";
    }

    private static string Named(HyperParameters old, HyperParameters now)
    {
        if (old == now) return "";
        var values = new (string Name, object Old, object New)[]
        {
            ("peak learning rate", old.PeakLearningRate, now.PeakLearningRate), ("end learning rate", old.EndLearningRate, now.EndLearningRate), ("warm-up steps", old.WarmupSteps, now.WarmupSteps),
            ("decay steps", old.DecaySteps, now.DecaySteps), ("gradient clip", old.GradientClip, now.GradientClip), ("optimizer", old.Optimizer, now.Optimizer),
            ("loss-scale window", old.LossScaleWindow, now.LossScaleWindow), ("loss-scale floor", old.LossScaleFloor, now.LossScaleFloor), ("loss-scale rule", old.LossScaleWindowRule, now.LossScaleWindowRule),
            ("total steps", old.TotalSteps, now.TotalSteps), ("first loss scale", old.LossScaleInitial, now.LossScaleInitial),
        };
        return string.Join(", ", values.Where(v => !v.Old.Equals(v.New)).Select(v => $"{v.Name} {Text(v.Old)} -> {Text(v.New)}"));
    }

    /// <summary>Nine digits, since a product of two values written by people rarely has more.</summary>
    private static string Text(object value) => value is double number ? number.ToString("G9", CultureInfo.InvariantCulture) : FormattableString.Invariant($"{value}");
}
