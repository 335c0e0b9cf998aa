using System.Runtime.InteropServices;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Data;
using Opt.Trainer.Export;
using Opt.Trainer.Parallel;
using Opt.Trainer.Stores;
using Opt.Trainer.Tracing;
using Opt.Trainer.Workers;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>One rank's life: check the configuration, open the data, meet the others, restore or initialise, train.</summary>
internal sealed record Worker(RunPlan Plan, int Rank, string DataRoot, IWorkerChannel Channel, TimeProvider Time, Action<string> Log)
{
    /// <summary>Opens the checkpoint store of the plan; null where there is none.</summary>
    public required Func<RunPlan, ICheckpointStore?> OpenStore { get; init; }

    /// <summary>Hugging Face folder to take the initial weights from instead of drawing them.</summary>
    public string? InitialWeights { get; init; }

    /// <summary>Records what this rank does when; null: nothing is recorded.</summary>
    public TraceRecorder? Trace { get; init; }

    /// <summary>Where the agent reads what this rank does; null: nowhere.</summary>
    public FlightRecorder? Flight { get; init; }

    /// <summary>Runs to the end.</summary>
    /// <exception cref="Exception">Any failure; <see cref="Cli.ExitCodes"/> says what it means.</exception>
    public WorkerExit Run()
    {
        var config = Plan.Training with { Data = Plan.Training.Data with { Root = DataRoot } };
        LayoutRules.Require(config, Plan.WorldSize);
        var mesh = Mesh.Of(Rank, Plan.WorldSize, config.TensorParallel, config.DataParallelShard);
        var device = PickDevice(config.Device, Rank % Plan.WorkersPerMember);
        using var data = Dataset.Open(config.Data, config.SequenceLength, config.Seed, config.Model);
        using var validation = new Validation(config, data);
        CorpusChecks.Unchanged(data.Digests.Concat(validation.Digests), Plan.Corpora, "the plan");
        Channel.ReportState(WorkerState.Rendezvous);
        using var store = mesh.WorldSize > 1 ? Rendezvous.Connect(Plan, Rank, RunIdentity.DataFingerprint(config, data)) : null;
        using var world = store is null ? World.Single(Time) : Rendezvous.Join(store, Plan, mesh, device, Time);
        (world.Trace, world.Flight) = (Trace, Flight);
        using var engine = new TrainingEngine(config, world, device, Time);
        using var stop = new StopSignal();
        var checkpoints = RankCheckpoints.Open(Plan, mesh, engine.Storage, OpenStore, Time);
        try
        {
            var restored = Restore(checkpoints?.Session, engine, config);
            Channel.ReportState(WorkerState.Training);
            var run = new TrainingRun
            {
                Plan = Plan with { Training = config },
                World = world,
                Device = device,
                Engine = engine,
                Data = data,
                Validation = validation,
                Channel = Channel,
                Checkpoints = checkpoints?.Session,
                Time = Time,
                Log = Log,
                StopRequested = () => stop.Requested,
            };
            return new TrainingLoop(run, restored).Run();
        }
        finally
        {
            checkpoints?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>auto: the accelerator of this local rank where the library and a device are there.</summary>
    public static Device PickDevice(DeviceKind kind, int localRank)
    {
        var cuda = has_feature("cuda");
        if (kind == DeviceKind.Cuda && !cuda) throw new TrainerException(WorkerExit.Device, "device: cuda is not to be had with this libtorch; use cpu");
        return kind != DeviceKind.Cpu && cuda ? new(DeviceType.CUDA, localRank) : CPU;
    }

    private TrainingState? Restore(ICheckpointSession? checkpoints, TrainingEngine engine, TrainingConfig config)
    {
        if (Plan.Resume is null)
        {
            if (InitialWeights is null) engine.Storage.Initialise(config.Seed);
            else HuggingFaceFolder.Load(InitialWeights, config.Model, engine.Storage);
            engine.ParametersChanged();
            return null;
        }

        if (checkpoints is null) throw new TrainerException(WorkerExit.Configuration, "the plan resumes from a checkpoint, but names no store");
        Channel.ReportState(WorkerState.Restoring);
        var restored = checkpoints.RestoreAsync(Plan.Resume, new RestoreProgress(Channel), Channel.AgentLost).GetAwaiter().GetResult();
        engine.ParametersChanged();
        Log($"restored step {restored.Checkpoint.Step}: {string.Join(", ", restored.Sources.Select(s => $"{s.Bytes} bytes from {s.Tier}"))}");
        foreach (var skipped in restored.Skipped) Log($"checkpoint of step {skipped.Step} was passed over: {skipped.Reason}");
        return restored.State;
    }

    private sealed class RestoreProgress(IWorkerChannel channel) : IProgress<double>
    {
        public void Report(double value) => channel.ReportRestoreProgress(value);
    }

    /// <summary>SIGTERM and SIGINT ask for a stop at the next step boundary, by agreement of all ranks.</summary>
    private sealed class StopSignal : IDisposable
    {
        private readonly PosixSignalRegistration _term, _interrupt;
        private volatile bool _requested;

        public StopSignal()
        {
            _term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Request);
            _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Request);
        }

        public bool Requested => _requested;

        public void Dispose()
        {
            _term.Dispose();
            _interrupt.Dispose();
        }

        private void Request(PosixSignalContext context)
        {
            context.Cancel = true;
            _requested = true;
        }
    }
}
