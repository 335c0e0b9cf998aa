using System.Runtime.InteropServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Parallel;
using Opt.Trainer.Stores;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>A rank's checkpoint session with everything it was made from.</summary>
internal sealed class RankCheckpoints : IAsyncDisposable
{
    private readonly ICheckpointStore _store;
    private readonly StoreExchange? _exchange;
    private readonly ILoggerFactory _loggers;

    private RankCheckpoints(RunPlan plan, Mesh mesh, ShardStorage storage, ICheckpointStore store, StoreExchange? exchange, TimeProvider time)
    {
        (_store, _exchange) = (store, exchange);
        _loggers = LoggerFactory.Create(logging =>
        {
            logging.SetMinimumLevel(LogLevel.Warning).AddSimpleConsole(c => c.SingleLine = true);
            logging.Services.Configure<ConsoleLoggerOptions>(c => c.LogToStandardErrorThreshold = LogLevel.Trace);
        });
        Session = new CheckpointSession(new()
        {
            Store = store,
            JobUid = plan.JobUid,
            Epoch = plan.Epoch,
            Model = plan.Training.Model,
            Spec = plan.Training.Checkpoint,
            Layout = storage.Describe(),
            Buffers = storage.Buffers(),
            BeforeCopy = storage.FinishWrites,
            OnCopyThread = storage.ReadBesideComputation,
            WritesState = mesh.Replica == 0,
            Exchange = (IRankExchange?)exchange ?? InProcessExchange.Create(1)[0],
            Writer = plan.Members[mesh.Rank / plan.WorkersPerMember].Pod,
            Nearby = TierEnvironment.Read(Environment.GetEnvironmentVariable, plan, mesh.Rank, time),
            Software = SoftwareOf(Environment.GetEnvironmentVariable(ImageVariable)),
        }, time, _loggers.CreateLogger<CheckpointSession>());
    }

    /// <summary>The container image of the pod.</summary>
    public const string ImageVariable = "OPT_IMAGE";

    public ICheckpointSession Session { get; }

    /// <summary>What writes: image, where there is one, and library versions.</summary>
    internal static string SoftwareOf(string? image) =>
        $"{(string.IsNullOrEmpty(image) ? "" : $"{image}, ")}opt-trainer {typeof(RankCheckpoints).Assembly.GetName().Version}, libtorch {__version__}, {RuntimeInformation.FrameworkDescription}";

    /// <summary>Null when the plan names no store.</summary>
    /// <exception cref="TrainerException">Rendezvous.</exception>
    public static RankCheckpoints? Open(RunPlan plan, Mesh mesh, ShardStorage storage, Func<RunPlan, ICheckpointStore?> openStore, TimeProvider time)
    {
        if (openStore(plan) is not { } store) return null;
        var exchange = mesh.WorldSize == 1 ? null : new StoreExchange(Rendezvous.Open(plan), mesh.Rank, mesh.WorldSize, time);
        return new(plan, mesh, storage, store, exchange, time);
    }

    public async ValueTask DisposeAsync()
    {
        await Session.DisposeAsync();
        _exchange?.Dispose();
        await _store.DisposeAsync();
        _loggers.Dispose();
    }
}
