using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Xunit;

namespace Opt.Api.Tests;

/// <summary>What one plan changed against the one before it, and how an epoch ended.</summary>
public sealed class PlanDifferenceTests
{
    [Fact]
    public void A_plan_that_changed_nothing_differs_in_nothing()
    {
        var plan = Plan();
        Assert.Empty(PlanDifference.Of(null, plan));
        Assert.Empty(PlanDifference.Of(plan, plan with { Epoch = 2, ParentEpoch = 1, RendezvousPort = 7, Cause = plan.Cause with { Id = "another" } }));
    }

    [Fact]
    public void Machines_settings_and_data_that_changed_are_named()
    {
        var before = Plan();
        var values = before.Training.HyperParameters;
        var after = before with
        {
            Epoch = 2, ParentEpoch = 1, TemplateRevision = "rev-b", Run = "1.1", SkipSamples = [new(10, 20)], DistrustedCheckpoints = ["sha"],
            Members = [before.Members[0], before.Members[1] with { Node = "node-9", PodUid = "uid-9" }, before.Members[2] with { PodUid = "uid-new" }],
            Training = before.Training with { BatchSequences = 16, HyperParameters = values with { PeakLearningRate = 5e-5, GradientClip = 0.5, Optimizer = values.Optimizer with { Beta2 = 0.99 } } },
        };

        Assert.Equal(
        [
            "node node-1 -> node-9", "new pod on node-2", "pods of another template (rev-a -> rev-b)", "batchSequences 8 -> 16", "peakLearningRate 0.0001 -> 5E-05", "optimizer.beta2 0.95 -> 0.99", "gradientClip 1 -> 0.5",
            "run 1.0 -> 1.1", "skips samples 10 to 20", "a checkpoint is not trusted any more",
        ], PlanDifference.Of(before, after).Order(StringComparer.Ordinal).OrderBy(Place));
    }

    [Fact]
    public void A_job_that_shrank_says_so_and_many_nodes_are_counted()
    {
        var before = Plan(machines: 9);
        var after = before with { Epoch = 2, Members = [.. before.Members.Take(8).Select(m => m with { Node = $"new-{m.Node}" })] };

        Assert.Equal(["9 -> 8 machines", "node node-0 -> new-node-0, node-1 -> new-node-1, node-2 -> new-node-2, node-3 -> new-node-3 and 4 more"], PlanDifference.Of(before, after));
    }

    [Fact]
    public void An_epoch_ends_by_the_cause_of_the_next_and_the_newest_by_the_phase_of_the_job()
    {
        var next = Plan() with { Cause = new() { Id = "c", Reason = "NodeLost", Message = "gone" } };

        Assert.Equal("NodeLost at step 1288", EpochOutcome.Of(next, 1288, JobPhase.Running, 2000));
        Assert.Equal("NodeLost", EpochOutcome.Of(next, null, JobPhase.Running, 2000));
        Assert.Equal("running at step 2000", EpochOutcome.Of(null, null, JobPhase.Running, 2000));
        Assert.Equal("completed at step 2000", EpochOutcome.Of(null, null, JobPhase.Succeeded, 2000));
        Assert.Equal("being replaced at step 2000", EpochOutcome.Of(null, null, JobPhase.Recovering, 2000));
        Assert.Equal((1288L, null, null), (EpochOutcome.ParentStep("1288"), EpochOutcome.ParentStep(null), EpochOutcome.ParentStep("-1")));
    }

    private static int Place(string change) => Array.FindIndex(["node ", "new pod", "pods", "batch", "peak", "optimizer", "gradient", "run", "skips", "a checkpoint"], p => change.StartsWith(p, StringComparison.Ordinal));

    private static RunPlan Plan(int machines = 3) => new()
    {
        JobNamespace = "ml", JobName = "opt", JobUid = "uid", Epoch = 1, Revision = 0, ParentEpoch = 0, CreatedAt = DateTimeOffset.UnixEpoch, Cause = new() { Id = "start", Reason = "Start", Message = "first launch" },
        WorkersPerMember = 8, RendezvousPort = 1, TemplateRevision = "rev-a",
        Members = [.. Enumerable.Range(0, machines).Select(i => new PlanMember { Pod = $"opt-{i}", PodUid = $"uid-{i}", PodIp = "10.0.0.1", AgentInstance = $"a-{i}", Node = $"node-{i}" })],
        Training = new()
        {
            Model = new() { Layers = 2, HiddenSize = 32, Heads = 4, FfnSize = 128, VocabSize = 96, MaxPositions = 32, EmbeddingSize = 32, PreNorm = true, Dropout = 0.1, AttentionDropout = 0.1 },
            TensorParallel = 1, Device = DeviceKind.Cpu, Data = new() { Root = "/data", Train = [new() { Path = "tokens" }] }, SequenceLength = 16, BatchSequences = 8, MicroBatchSequences = 2, Precision = Precision.Fp32,
            ActivationCheckpointing = ActivationCheckpointing.Full, ReshardAfterForward = true, Seed = 1, Checkpoint = new() { Store = new() },
            HyperParameters = new()
            {
                PeakLearningRate = 1e-4, EndLearningRate = 1e-5, WarmupSteps = 2, DecaySteps = 30, GradientClip = 1, Optimizer = new(), TotalSteps = 20,
                LossScaleInitial = 4, LossScaleWindow = 132, LossScaleFloor = 0.25, LossScaleWindowRule = LossScaleWindow.Fixed,
            },
        },
    };
}
