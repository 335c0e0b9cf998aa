using Microsoft.Extensions.Logging.Abstractions;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Sessions of all ranks of a world, in this process.</summary>
internal sealed class TestRun : IAsyncDisposable
{
    public const string JobUid = "11111111-2222-3333-4444-555555555555";

    private TestRun(TestRank[] ranks, CheckpointSession[] sessions)
    {
        Ranks = ranks;
        Sessions = sessions;
    }

    public TestRank[] Ranks { get; }
    public CheckpointSession[] Sessions { get; }

    public static TestRun Start(ICheckpointStore store, long epoch, TestRank[] ranks, CheckpointSpec? spec = null, string uid = JobUid, Opt.Api.ModelDimensions? model = null, Func<int, ICheckpointStore>? storeOf = null, TimeProvider? time = null, LogLimits? limits = null, Func<int, IReadOnlyList<INearbyCopies>>? nearby = null, TimeSpan? copyGrace = null)
    {
        var exchange = InProcessExchange.Create(ranks.Length);
        var sessions = ranks.Select((rank, i) => new CheckpointSession(new()
        {
            Store = storeOf?.Invoke(i) ?? store,
            JobUid = uid,
            Epoch = epoch,
            Model = model ?? TestModel.Dimensions,
            Spec = spec ?? Spec(),
            Layout = rank.Layout,
            Buffers = rank.Buffers,
            Exchange = exchange[i],
            Writer = $"test-{i}",
            Nearby = nearby?.Invoke(i) ?? [],
            CopyGrace = copyGrace ?? TimeSpan.FromMinutes(2),   // a busy machine must not lose a copy
            MemoryGrace = copyGrace ?? TimeSpan.FromMinutes(2),
            LogLimits = limits ?? LogLimits.Default,
        }, time ?? TimeProvider.System, NullLogger<CheckpointSession>.Instance)).ToArray();
        return new(ranks, sessions);
    }

    public static CheckpointSpec Spec(int last = 100, int afterSteps = 50) => new()
    {
        Store = new(),
        Keep = new() { Last = last, EverySteps = 0 },
        HealthyWhen = new() { AfterSteps = afterSteps },
    };

    public static CommitLog Log(ICheckpointStore store, string uid = JobUid, LogLimits? limits = null) => new(store, uid, "test", TimeProvider.System, limits ?? LogLimits.Default);

    /// <summary>Saves on all ranks and waits for the outcome.</summary>
    public async Task<SaveOutcome> SaveAsync(long step, SaveKind kind = SaveKind.Store)
    {
        foreach (var session in Sessions.Reverse()) session.Save(State(step), kind);
        await Task.WhenAll(Sessions.Select(s => s.WaitUntilSavedAsync(default)));
        foreach (var session in Sessions.Skip(1)) session.TryTakeOutcome(out _);
        return Sessions[0].TryTakeOutcome(out var outcome) ? outcome : throw new InvalidOperationException("no outcome");
    }

    public async Task<RestoredCheckpoint> RestoreAsync(CheckpointSummary resume) => (await RestoreAllAsync(resume))[0];

    /// <summary>What each rank says.</summary>
    public Task<RestoredCheckpoint[]> RestoreAllAsync(CheckpointSummary resume) => Task.WhenAll(Sessions.Select(s => s.RestoreAsync(resume, null, default)));

    /// <summary>Whether every rank holds the state of the step.</summary>
    public bool Holds(long step, int dataParallel, int tensorParallel = 1) => Ranks.Zip(TestModel.World(dataParallel, tensorParallel, step)).All(pair => pair.First.HasSameStateAs(pair.Second));

    public static TrainingState State(long step) => new()
    {
        Attempt = step + 3,
        Step = step,
        Samples = step * 8,
        Tokens = step * 8 * 16,
        Lineage = "1",
        HyperParameters = HyperParameters,
        DataFingerprint = "data",
        EnvironmentHash = "environment",
        Scaler = new() { Scale = 4, Window = 128, Iteration = step + 3, LastOverflow = 2, LastRescale = 1, OverflowsSinceRescale = 0 },
    };

    public static StepRecord Record(long step, double lossScale = 4, double? loss = 3, bool skipped = false) => new()
    {
        Epoch = 1, Revision = 0, Attempt = step, Step = step, Samples = step, Tokens = step, Loss = loss, GradientNorm = loss is null ? null : 1, LearningRate = 1e-3, LossScale = lossScale, Skipped = skipped,
        Time = DateTimeOffset.UnixEpoch, Seconds = 1, TokensPerSecond = 1, HyperParameters = HyperParameters,
    };

    public async ValueTask DisposeAsync()
    {
        foreach (var session in Sessions) await session.DisposeAsync();
    }

    public static HyperParameters HyperParameters { get; } = new()
    {
        PeakLearningRate = 1e-3, EndLearningRate = 1e-4, WarmupSteps = 10, DecaySteps = 100, GradientClip = 1, Optimizer = new(), LossScaleWindow = 128, LossScaleFloor = 0.25, LossScaleWindowRule = LossScaleWindow.Fixed, LossScaleInitial = 4, TotalSteps = 100,
    };
}
