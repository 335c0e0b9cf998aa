using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;

namespace Opt.Planning.Tests;

/// <summary>The divergence policies of the random fault sequences, what may happen to them there, and what must hold whatever does.</summary>
internal static class Policies
{
    private const double Peak = 1e-3;

    private static readonly DivergencePolicySpec Explosion = new()
    {
        Name = "explosion",
        When = new() { Loss = new() { Above = 5, ForSteps = 3 } },
        Then = [new() { Rollback = new() { To = RollbackTarget.LastHealthy } }, new() { LearningRate = new() { Multiply = 0.5 } }, new() { SkipData = new() }],
        Escalation = [new() { Then = [new() { Rollback = new() { Checkpoints = 2 } }, new() { LearningRate = new() { Multiply = 0.1 } }] }],
        Cooldown = new() { Steps = 5 },
        Limit = 3,
        Replay = new() { Limit = 1 },
    };

    private static readonly DivergencePolicySpec Clip = new()
    {
        Name = "clip", When = new() { GradientNorm = new() { Above = 10 } }, Then = [new() { GradientClip = new() { Set = 0.3 } }], Cooldown = new() { Steps = 10 }, ReleaseAfterSteps = 50,
    };

    public static readonly EquatableList<DivergencePolicySpec> All = [Explosion, Clip, Clip with { Name = "shadow", Mode = PolicyMode.Shadow, When = Explosion.When }];

    public static StepRecord Healthy(StepRecord record) => record with { GradientNorm = 0.2 };

    public static void Disturb(SimulatedWorld world, FaultSequenceProperties.Fault fault, int pick)
    {
        switch (fault)
        {
            case FaultSequenceProperties.Fault.Diverge: world.Shape = r => r.Step % 40 > 20 ? Healthy(r) with { Loss = pick % 2 == 0 ? 9 : null } : Healthy(r); break;
            case FaultSequenceProperties.Fault.DivergeOnce: Once(world, world.Status.Epoch, pick % 3 == 0 ? [new(1, "weights", 9, 1)] : []); break;
            case FaultSequenceProperties.Fault.Spike: world.Shape = r => r with { GradientNorm = r.Step % 10 == pick % 10 ? 50 : 0.2, Loss = r.Step % 30 < 4 ? 9 : r.Loss }; break;
            case FaultSequenceProperties.Fault.Heal: world.Shape = Healthy; break;
            case FaultSequenceProperties.Fault.EditPolicy: Edit(world, pick); break;
            case FaultSequenceProperties.Fault.AskForRollback when pick < 30: Ask(world, "rollback", $"{pick}"); break;
            default: Ask(world, "release-override", pick % 2 == 0 ? "gradientClip" : ""); break;
        }
    }

    private static void Once(SimulatedWorld world, long epoch, EquatableList<RankOutlier> outliers) => world.Shape = r => r.Epoch <= epoch ? Healthy(r) with { Loss = 9, Outliers = outliers } : Healthy(r);

    /// <summary>What was decided once is applied once, and no ladder goes on past its end.</summary>
    public static void Check(RunPlan plan)
    {
        var acted = plan.Firings.Where(f => f is { Policy: "explosion", Shadow: false, Hardware: false, Replay: false }).ToArray();
        var expected = acted.Take(Explosion.Limit).Aggregate(Peak, (rate, f) => rate * (f.Rung == 0 ? 0.5 : 0.1));
        var rate = plan.Training.HyperParameters.PeakLearningRate;
        // A release by hand brings the spec's value back, and the ladder multiplies from there.
        var released = plan.Handled.Any(h => h.Request == "release-override" && h.Answer.StartsWith("released", StringComparison.Ordinal));
        if (!released && Math.Abs(rate - expected) > 1e-12) throw new InvariantException($"every firing multiplies once: {acted.Length} firings and a rate of {rate}, not {expected}: {string.Join("; ", plan.Firings.Select(f => $"{f.Policy} {f.Epoch}/{f.Attempt} {f.Rung}{(f.Shadow ? " shadow" : "")}{(f.Hardware ? " hardware" : "")}{(f.Replay ? " replay" : "")}"))}");
        if (plan.Firings.Count(f => f is { Policy: "explosion", Replay: true }) > 1) throw new InvariantException("replays stay within their budget");
        if (acted.Length > Explosion.Limit && plan is { Pause: null, Cause.Reason: Reasons.Divergence, Intervention.Actor: "policy explosion" }) throw new InvariantException("a policy whose limit is used up asks");
    }

    /// <summary>People answer what the job asks.</summary>
    public static SimulatedWorld LetGoOn(SimulatedWorld world)
    {
        if (world.Status.Phase is JobPhase.Paused && world.Plan is { Pause: not null } plan) world.Job = With(world.Job, new("resume", $"r-{plan.Epoch}-{plan.Revision}", "newest"));
        return world;
    }

    private static void Edit(SimulatedWorld world, int pick) => world.Job = world.Job.Edited(s => s with
    {
        DivergencePolicies = [Explosion with { Cooldown = new() { Steps = 1 + pick }, WindowSteps = 10 + pick }, Clip with { Then = [new() { GradientClip = new() { Multiply = 0.9 } }] }, .. pick % 2 == 0 ? All.Skip(2) : []],
    });

    private static void Ask(SimulatedWorld world, string name, string argument) => world.Job = With(world.Job, new(name, $"{world.Now:O}", argument));

    private static OptTrainingJob With(OptTrainingJob job, JobRequest request) => job with { Metadata = job.Metadata with { Requests = [.. job.Metadata.Requests.Where(r => r.Name != request.Name), request] } };
}
