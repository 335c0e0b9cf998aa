using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Loop;
using Opt.Trainer.Parallel;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Parallel;
using Opt.Trainer.Workers;
using static Opt.Torch.torch;
using Validator = Opt.Trainer.Loop.Validation;

namespace Opt.Trainer.Tests.Loop;

/// <summary>What one rank's loop did. The vectors are the flat ones of its shards, as fp32.</summary>
internal sealed record RankOutcome(WorkerExit Exit, IReadOnlyList<StepRecord> Steps, float[] Gradient, float[] Master, float[] FirstMoment, float[] SecondMoment, ShardLayout Layout);

/// <summary>
/// The real training loop with every rank on a thread of this process, over real Gloo groups; with OPT_DELAYED_GROUP=1 in the environment over
/// groups that behave as NCCL's may (<see cref="DelayedGroup"/>).
/// </summary>
internal static class ThreadRanks
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    /// <summary>Groups whose collectives run late and by themselves.</summary>
    public static readonly WorldOptions Delayed = new(Deadline) { LikeNccl = true, Decorate = group => new DelayedGroup(group) };

    private static readonly WorldOptions s_usual = Environment.GetEnvironmentVariable("OPT_DELAYED_GROUP") == "1" ? Delayed : new(Deadline);

    /// <param name="store">Folder of a checkpoint store; null saves nothing.</param>
    /// <param name="resume">Go on from the newest checkpoint of the store.</param>
    /// <param name="nearby">Where a rank's copies of checkpoints are.</param>
    /// <param name="buffers">Stands between a rank's state and its checkpoints.</param>
    /// <param name="flight">Where a rank writes down what it does.</param>
    /// <param name="computeType">In what to compute; null for fp32, as on any CPU.</param>
    public static RankOutcome[] Train(TrainingConfig config, int worldSize, MemoryChannel? channel = null, Action<int, long, Tensor>? afterBackward = null,
        Func<int, bool>? stop = null, Func<int, TrainingConfig>? configOf = null, WorldOptions? options = null, string? store = null, bool resume = false, ScalarType? computeType = null, Func<int, IReadOnlyList<INearbyCopies>>? nearby = null,
        Func<int, StateBuffer, StateBuffer>? buffers = null, Func<int, FlightRecorder>? flight = null)
    {
        using var server = new distributed.TCPStore("127.0.0.1", 0, is_server: true, Deadline);
        var saved = store is null ? null : Saved.Open(store, resume);
        var exchange = InProcessExchange.Create(worldSize);
        var outcomes = new RankOutcome[worldSize];
        var failures = new Exception?[worldSize];
        var threads = Enumerable.Range(0, worldSize).Select(rank => new Thread(() =>
        {
            try
            {
                var own = configOf?.Invoke(rank) ?? config;
                var part = new Part(own, rank, worldSize, server.port, rank == 0 && channel is not null ? channel : new(), options ?? s_usual, saved, exchange[rank], computeType, nearby, buffers, flight);
                outcomes[rank] = part.Run(afterBackward, stop);
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

    /// <summary>A store as a launch finds it: fenced, with what there is to resume from.</summary>
    private sealed record Saved(string Folder, long Epoch, CheckpointSummary? Resume)
    {
        public static Saved Open(string folder, bool resume)
        {
            var store = OpenStore(folder);
            using var log = new CommitLog(store, "test", "test", TimeProvider.System);
            var state = log.FenceNextAsync(adopt: false, default).GetAwaiter().GetResult();
            return new(folder, state.FencedEpoch, resume ? state.Checkpoints.Values.Where(c => c.Verdict != Opt.Api.V1Alpha1.HealthVerdict.Condemned).MaxBy(c => (c.Commit.Step, c.Entry))!.ToSummary() : null);
        }

    }

    public static ICheckpointStore OpenStore(string folder) =>
        new StoreEnvironment { Credentials = new() }.Open(TimeProvider.System, new() { Directory = new() { Path = folder } }, createRoot: true);

    private sealed record Part(TrainingConfig Config, int Rank, int WorldSize, int Port, MemoryChannel Channel, WorldOptions Options, Saved? Saved, IRankExchange Exchange, ScalarType? ComputeType, Func<int, IReadOnlyList<INearbyCopies>>? Nearby, Func<int, StateBuffer, StateBuffer>? Buffers, Func<int, FlightRecorder>? Flight)
    {
        public RankOutcome Run(Action<int, long, Tensor>? afterBackward, Func<int, bool>? stop)
        {
            set_num_threads(1);   // of this thread: pools of several ranks would wait for each other's cores
            var mesh = Mesh.Of(Rank, WorldSize, Config.TensorParallel, Config.DataParallelShard);
            var time = TimeProvider.System;
            using var meeting = WorldSize == 1 ? null : new distributed.TCPStore("127.0.0.1", Port, is_server: false, Deadline);
            using var world = meeting is null ? World.Single(time) : World.Join(meeting, mesh, "127.0.0.1", CPU, Options, time);
            using var recorder = Flight?.Invoke(Rank);
            world.Flight = recorder;
            using var data = Trainer.Data.Dataset.Open(Config.Data, Config.SequenceLength, Config.Seed, Config.Model);
            using var validation = new Validator(Config, data);
            using var engine = new TrainingEngine(Config, world, CPU, time, ComputeType);
            var session = Session(mesh, engine.Storage);
            var restored = Start(engine, session);
            var run = new TrainingRun
            {
                Plan = Plan(),
                World = world,
                Device = CPU,
                Engine = engine,
                Data = data,
                Validation = validation,
                Channel = Channel,
                Checkpoints = session,
                Time = time,
                Log = _ => { },
                StopRequested = () => stop?.Invoke(Rank) ?? false,
                AfterBackward = (attempt, gradient) => afterBackward?.Invoke(Rank, attempt, gradient),
            };
            var exit = new TrainingLoop(run, restored).Run();
            session?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            var s = engine.Storage;
            return new(exit, Channel.Steps, Wide(s.Gradient), Wide(s.Master), Wide(s.FirstMoment!), Wide(s.SecondMoment!), s.Describe());
        }

        private TrainingState? Start(TrainingEngine engine, CheckpointSession? session)
        {
            if (Saved?.Resume is { } resume)
            {
                var restored = session!.RestoreAsync(resume, null, default).GetAwaiter().GetResult();
                engine.ParametersChanged();
                return restored.State;
            }

            engine.Storage.Initialise(Config.Seed);
            engine.ParametersChanged();
            return null;
        }

        private CheckpointSession? Session(Mesh mesh, ShardStorage storage) => Saved is null ? null : new(new()
        {
            Store = OpenStore(Saved.Folder),
            JobUid = "test",
            Epoch = Saved.Epoch,
            Model = Config.Model,
            Spec = Config.Checkpoint,
            Layout = storage.Describe(),
            Buffers = [.. storage.Buffers().Select(b => Buffers?.Invoke(Rank, b) ?? b)],
            WritesState = mesh.Replica == 0,
            Exchange = Exchange,
            Writer = "test",
            Nearby = Nearby?.Invoke(Rank) ?? [],
            CopyGrace = Deadline,
            MemoryGrace = Deadline,
        }, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<CheckpointSession>.Instance);

        private RunPlan Plan() => new()
        {
            JobNamespace = "test",
            JobName = "test",
            JobUid = "test",
            Epoch = Saved?.Epoch ?? 3,
            Revision = 0,
            ParentEpoch = 2,
            CreatedAt = DateTimeOffset.UnixEpoch,
            Cause = new() { Id = "1", Reason = "Start", Message = "a test" },
            Members = [new() { Pod = "a", PodUid = "a", PodIp = "127.0.0.1", AgentInstance = "a", Node = "a" }],
            WorkersPerMember = WorldSize,
            RendezvousPort = 0,
            TemplateRevision = "1",
            Training = Config,
        };

        private static float[] Wide(Tensor flat)
        {
            using var wide = flat.to(float32);
            return wide.ToArray<float>();
        }
    }
}
