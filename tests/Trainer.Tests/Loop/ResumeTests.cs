using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Tests.Data;
using Xunit;

namespace Opt.Trainer.Tests.Loop;

/// <summary>Runs that stop at a checkpoint and go on from it, against runs that were never interrupted. Dropout is on.</summary>
public sealed class ResumeTests : IDisposable
{
    private const int Half = 6, Whole = 12;
    private static readonly bool Soak = Environment.GetEnvironmentVariable("OPT_SOAK") == "1";
    private readonly TemporaryFolder _folder = new();

    public ResumeTests()
    {
        TinyRun.RequireTorch();
        TinyRun.WriteTokens(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, 1, null, Precision.Fp32, true), InlineData(3, 1, null, Precision.Fp16, true), InlineData(4, 2, null, Precision.Fp32, true)]
    [InlineData(4, 1, 2, Precision.Bf16, true), InlineData(2, 1, null, Precision.Fp16, false)]
    public void A_resumed_run_is_the_uninterrupted_one_bit_for_bit(int worldSize, int tensorParallel, int? shards, Precision precision, bool masterWeights)
    {
        var config = Config(Whole) with { TensorParallel = tensorParallel, DataParallelShard = shards, Precision = precision, MasterWeights = masterWeights };
        var straight = ThreadRanks.Train(config, worldSize, afterBackward: Overflow);
        ThreadRanks.Train(Ending(config, Half), worldSize, afterBackward: Overflow, store: _folder["store"]);
        var resumed = ThreadRanks.Train(config, worldSize, store: _folder["store"], resume: true);
        Assert.Equal("1.2", resumed[0].Steps[0].Lineage);
        Assert.Equal(straight[0].Steps.Where(s => s.Step > Half || s is { Step: Half, Skipped: true }).Select(Essence), resumed[0].Steps.Select(Essence));
        for (var rank = 0; rank < worldSize; rank++)
        {
            Assert.Equal(straight[rank].Master, resumed[rank].Master);
            Assert.Equal(straight[rank].FirstMoment, resumed[rank].FirstMoment);
            Assert.Equal(straight[rank].SecondMoment, resumed[rank].SecondMoment);
        }
    }

    [Fact]
    public void A_run_whose_corpus_changed_under_its_name_is_not_resumed()
    {
        ThreadRanks.Train(Ending(Config(Whole), Half), 1, store: _folder["store"]);
        TinyRun.WriteTokens(_folder, seed: 4);

        var refused = Assert.Throws<TrainerException>(() => ThreadRanks.Train(Config(Whole), 1, store: _folder["store"], resume: true));

        Assert.Equal(WorkerExit.Data, refused.Exit);
        Assert.Contains($"in the checkpoint of step {Half}", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_whose_copy_of_a_corpus_is_not_the_plans_does_not_train()
    {
        var config = Config(Whole);
        var plan = new RunPlan
        {
            JobNamespace = "ml", JobName = "opt", JobUid = "uid", Epoch = 2, Revision = 0, ParentEpoch = 1, CreatedAt = DateTimeOffset.UnixEpoch, Cause = new() { Id = "c", Reason = "NodeLost", Message = "" },
            Members = [new() { Pod = "opt-0", PodUid = "p", PodIp = "127.0.0.1", AgentInstance = "i", Node = "n" }], WorkersPerMember = 1, RendezvousPort = 0, TemplateRevision = "r",
            Training = config, Corpora = [new() { Path = "tokens", Digest = "of-other-bytes", Tokens = 20_000 }],
        };
        var worker = new Opt.Trainer.Loop.Worker(plan, 0, _folder.Path, new MemoryChannel(), TimeProvider.System, _ => { }) { OpenStore = _ => null };

        var refused = Assert.Throws<TrainerException>(() => worker.Run());

        Assert.Equal(WorkerExit.Data, refused.Exit);
        Assert.Contains("in the plan 20000 and of-other-bytes", refused.Message, StringComparison.Ordinal);
    }

    public static TheoryData<int, int, int, int> Layouts()
    {
        (int World, int Tensor)[] all = [.. from shards in Enumerable.Range(1, 4) from tensor in (int[])[1, 2] select (shards * tensor, tensor)];
        var data = new TheoryData<int, int, int, int>();
        foreach (var (from, to) in from a in all from b in all where a != b select (a, b))
        {
            if (Soak || (from, to) is ((1, 1), (4, 2)) or ((4, 2), (3, 1)) or ((3, 1), (2, 2)) or ((2, 2), (1, 1))) data.Add(from.World, from.Tensor, to.World, to.Tensor);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_run_resumed_on_another_layout_gives_the_same_losses(int fromWorld, int fromTensor, int toWorld, int toTensor)
    {
        var config = Config(Whole);
        ThreadRanks.Train(Ending(config, Half) with { TensorParallel = fromTensor }, fromWorld, store: _folder["store"]);
        var resumed = ThreadRanks.Train(config with { TensorParallel = toTensor }, toWorld, store: _folder["store"], resume: true)[0].Steps;
        var straight = ThreadRanks.Train(config, 1)[0].Steps.Skip(Half).ToList();
        Assert.Equal(Whole - Half, resumed.Count);
        Assert.All(straight.Zip(resumed), pair =>
        {
            Assert.Equal((pair.First.Step, pair.First.Samples), (pair.Second.Step, pair.Second.Samples));
            Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5);
            Assert.Equal(1, pair.Second.GradientNorm!.Value / pair.First.GradientNorm!.Value, 1e-5);
        });
    }

    [Theory]
    [InlineData(null, 2), InlineData(1, null), InlineData(1, 2)]
    public void Copies_of_a_shard_are_saved_once_and_restored_to_any_sharding(int? from, int? to)
    {
        var config = Config(Whole);
        ThreadRanks.Train(Ending(config, Half) with { DataParallelShard = from }, 2, store: _folder["store"]);
        var bytes = Directory.EnumerateFiles(_folder["store"], "*.safetensors", SearchOption.AllDirectories).Sum(f => new FileInfo(f).Length);
        Assert.InRange(bytes, 12 * config.Model.ParameterCount, 12 * config.Model.ParameterCount + 20_000);
        var resumed = ThreadRanks.Train(config with { DataParallelShard = to }, 4, store: _folder["store"], resume: true)[0].Steps;
        var straight = ThreadRanks.Train(config, 1)[0].Steps.Skip(Half);
        Assert.All(straight.Zip(resumed), pair => Assert.Equal(1, pair.Second.Loss!.Value / pair.First.Loss!.Value, 1e-5));
    }

    [Fact]
    public void Optimizer_values_of_the_plan_are_in_force_after_a_resume_not_those_of_the_checkpoint()
    {
        var config = Config(Whole);
        ThreadRanks.Train(Ending(config, Half), 1, store: _folder["store"]);
        var changed = config.HyperParameters with { PeakLearningRate = 1e-3, GradientClip = 0.5, Optimizer = new() { Beta1 = 0, Eps = 1, WeightDecayScope = WeightDecayScope.Matrices } };
        var resumed = ThreadRanks.Train(config with { HyperParameters = changed }, 1, store: _folder["store"], resume: true)[0].Steps;
        Assert.All(resumed, s => Assert.Equal((changed, changed.LearningRateAt(s.Step - 1)), (s.HyperParameters, s.LearningRate)));
        // With beta1 = 0 and eps = 1 the update is close to plain gradient descent: the weights show that it was applied, not merely reported.
        Assert.NotEqual(ThreadRanks.Train(config, 1)[0].Steps[^1].Loss, resumed[^1].Loss);
    }

    [Fact]
    public void Betas_that_a_checkpoint_holds_never_come_back_over_those_of_the_plan()
    {
        // What made OPT's run 12.35 do nothing: beta1 = 0 and eps = 1 were asked for, the old ones were restored with the optimizer's state.
        var config = Config(Whole) with { HyperParameters = Config(Whole).HyperParameters with { GradientClip = 0 } };
        ThreadRanks.Train(Ending(config, Half), 1, store: _folder["store"]);
        var asked = config.HyperParameters with { TotalSteps = Half + 1, Optimizer = config.HyperParameters.Optimizer with { Beta1 = 0, Beta2 = 0.5, Eps = 1 } };
        RankOutcome Resumed(HyperParameters values) => ThreadRanks.Train(config with { HyperParameters = values }, 1, store: _folder["store"], resume: true)[0];
        var mimic = Resumed(asked);
        Assert.Equal(Half + 1, Assert.Single(mimic.Steps).Step);
        // With beta1 = 0 the first moment is this step's gradient and nothing else; any part of the old moment in it would show.
        var scale = mimic.Steps[0].GradientNorm!.Value / Norm(mimic.Gradient);
        Assert.All(mimic.Gradient.Zip(mimic.FirstMoment), p => Assert.Equal(p.First * scale, p.Second, 1e-6));

        // That second run's last checkpoint is one step further; the one before is still the newest of the first. The same step with the checkpoint's own betas moves otherwise.
        var old = ThreadRanks.Train(config with { HyperParameters = asked with { TotalSteps = Half + 2, Optimizer = config.HyperParameters.Optimizer } }, 1, store: _folder["store"], resume: true)[0];
        Assert.Contains(old.Gradient.Zip(old.FirstMoment), p => Math.Abs(p.First * scale - p.Second) > 1e-4);
    }

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));

    private static (long, long, long, double?, double?, double, bool) Essence(StepRecord s) => (s.Attempt, s.Step, s.Samples, s.Loss, s.GradientNorm, s.LossScale, s.Skipped);

    private static void Overflow(int rank, long attempt, Opt.Torch.torch.Tensor gradient)
    {
        if (attempt == 4) gradient.AsSpan<float>()[0] = float.NaN;
    }

    private static TrainingConfig Ending(TrainingConfig config, int steps) => config with { HyperParameters = config.HyperParameters with { TotalSteps = steps } };

    private TrainingConfig Config(int steps) => Ending(TinyRun.Config(_folder.Path) with { Checkpoint = new() { Store = new(), Every = new() { Steps = 100 } } }, steps);
}
