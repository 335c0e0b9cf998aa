using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Loop;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;
using Validator = Opt.Trainer.Loop.Validation;

namespace Opt.Trainer.Tests.Loop;

/// <summary>What one rank's loop did.</summary>
internal sealed record RankOutcome(WorkerExit Exit, IReadOnlyList<StepRecord> Steps, float[] Gradient, float[] Master, ShardLayout Layout);

/// <summary>The real training loop with every rank on a thread of this process, over real Gloo groups.</summary>
internal static class ThreadRanks
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    public static RankOutcome[] Train(TrainingConfig config, int worldSize, MemoryChannel? channel = null, Action<int, long, Tensor>? afterBackward = null,
        Func<int, bool>? stop = null, Func<int, ICheckpointSession?>? checkpoints = null, TrainingState? restored = null, Func<int, TrainingConfig>? configOf = null)
    {
        using var store = new distributed.TCPStore("127.0.0.1", 0, is_server: true, Deadline);
        var outcomes = new RankOutcome[worldSize];
        var failures = new Exception?[worldSize];
        var threads = Enumerable.Range(0, worldSize).Select(rank => new Thread(() =>
        {
            try
            {
                outcomes[rank] = Run(configOf?.Invoke(rank) ?? config, rank, worldSize, store.port, rank == 0 && channel is not null ? channel : new(), afterBackward, stop, checkpoints?.Invoke(rank), restored);
            }
            catch (Exception e)
            {
                failures[rank] = e;
            }
        }) { IsBackground = true }).ToList();
        threads.ForEach(t => t.Start());
        foreach (var thread in threads)
        {
            if (!thread.Join(Deadline)) throw new TimeoutException("a rank did not end");
        }

        var thrown = failures.OfType<Exception>().ToArray();
        if (thrown.Length > 0) throw thrown.FirstOrDefault(e => e is TrainerException) ?? new AggregateException(thrown);
        return outcomes;
    }

    private static RankOutcome Run(TrainingConfig config, int rank, int worldSize, int port, MemoryChannel channel, Action<int, long, Tensor>? afterBackward,
        Func<int, bool>? stop, ICheckpointSession? checkpoints, TrainingState? restored)
    {
        var mesh = Mesh.Of(rank, worldSize, config.TensorParallel);
        var time = TimeProvider.System;
        using var store = worldSize == 1 ? null : new distributed.TCPStore("127.0.0.1", port, is_server: false, Deadline);
        using var world = store is null ? World.Single(time) : World.Join(store, mesh, "127.0.0.1", Deadline, CPU, time);
        using var data = Trainer.Data.Dataset.Open(config.Data, config.SequenceLength, config.Seed, config.Model);
        using var validation = new Validator(config, data);
        using var engine = new TrainingEngine(config, world, CPU, time);
        engine.Storage.Initialise(config.Seed);
        engine.ParametersChanged();
        var run = new TrainingRun
        {
            Plan = Plan(config, worldSize),
            World = world,
            Device = CPU,
            Engine = engine,
            Data = data,
            Validation = validation,
            Channel = channel,
            Checkpoints = checkpoints,
            Time = time,
            Log = _ => { },
            StopRequested = () => stop?.Invoke(rank) ?? false,
            AfterBackward = (attempt, gradient) => afterBackward?.Invoke(rank, attempt, gradient),
        };
        var exit = new TrainingLoop(run, restored).Run();
        return new(exit, channel.Steps, engine.Storage.Gradient.ToArray<float>(), engine.Storage.Master.ToArray<float>(), engine.Storage.Describe());
    }

    private static RunPlan Plan(TrainingConfig config, int worldSize) => new()
    {
        JobNamespace = "test",
        JobName = "test",
        JobUid = "test",
        Epoch = 3,
        Revision = 0,
        ParentEpoch = 2,
        CreatedAt = DateTimeOffset.UnixEpoch,
        Cause = new() { Id = "1", Reason = "Start", Message = "a test" },
        Members = [new() { Pod = "a", PodUid = "a", PodIp = "127.0.0.1", AgentInstance = "a", Node = "a" }],
        WorkersPerMember = worldSize,
        RendezvousPort = 0,
        TemplateRevision = "1",
        Training = config,
    };
}
