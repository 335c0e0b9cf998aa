using System.Net.Sockets;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Torch;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using static Opt.Torch.torch;

namespace Opt.Trainer.Cli;

/// <summary>The one place where failures become exit codes and the line on standard error that explains them.</summary>
internal static class ExitCodes
{
    public static WorkerExit Of(Exception failure) => failure switch
    {
        TrainerException e => e.Exit,
        CheckpointException => WorkerExit.Checkpoint,
        StoreFencedException => WorkerExit.Fenced,
        StoreException => WorkerExit.Store,
        TorchUnavailableException => WorkerExit.TorchUnavailable,
        distributed.PeerLostException or distributed.DistributedTimeoutException => WorkerExit.PeerLost,
        TorchOutOfMemoryException or OutOfMemoryException => WorkerExit.OutOfMemory,
        IOException e when IsDiskFull(e) => WorkerExit.DiskFull,
        FormatException or JsonException => WorkerExit.Configuration,
        TorchException e when e.Message.Contains("CUDA", StringComparison.Ordinal) || e.Message.Contains("NCCL", StringComparison.Ordinal) => WorkerExit.Device,
        SocketException => WorkerExit.Rendezvous,
        AggregateException { InnerException: { } inner } => Of(inner),
        _ => WorkerExit.Internal,
    };

    /// <summary>On Unix the HResult of an I/O error is its errno.</summary>
    private static bool IsDiskFull(IOException e) => e.HResult is Posix.ENOSPC or Posix.EDQUOT || e.Message.StartsWith("No space left on device", StringComparison.Ordinal);

    /// <summary><c>opt-trainer: peer-lost: message</c>.</summary>
    public static string Line(WorkerExit exit, string message) => $"opt-trainer: {Name(exit)}: {message.ReplaceLineEndings(" ")}";

    /// <summary>Kebab case of the exit's name.</summary>
    public static string Name(WorkerExit exit) => string.Concat(exit.ToString().Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));

    /// <summary>Reports on standard error and gives the process' exit code.</summary>
    public static int Report(Exception failure)
    {
        var exit = Of(failure);
        Console.Error.WriteLine(Line(exit, exit == WorkerExit.Internal ? failure.ToString() : failure.Message));
        return (int)exit;
    }
}
