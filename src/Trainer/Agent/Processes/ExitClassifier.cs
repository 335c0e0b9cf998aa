using System.Text.RegularExpressions;
using Opt.Api.Protocol;

namespace Opt.Trainer.Agent.Processes;

/// <summary>Why a worker ended, from its own account, its exit code, its signal, or what it last printed. Pure.</summary>
internal static partial class ExitClassifier
{
    /// <param name="killedForMemory">The kernel killed something of this container for memory meanwhile.</param>
    public static (WorkerExit Exit, string Message) Classify(WorkerEnd end, bool killedForMemory)
    {
        if (end.Signal is { } signal) return Signal(signal, end, killedForMemory);
        if (end.Said is { Exit: { } said }) return (said, end.Said.Message ?? said.ToString());
        if (end.Code is not { } code) return (WorkerExit.Internal, "ended; its exit code was lost");
        var exit = (WorkerExit)code;
        if (exit is not WorkerExit.Internal && Enum.IsDefined(exit)) return (exit, LastLine(end.Tail) ?? exit.ToString());
        return Text(end.Tail) ?? (WorkerExit.Internal, LastLine(end.Tail) is { } line ? $"exit code {code}: {line}" : $"exit code {code}");
    }

    private static (WorkerExit, string) Signal(int signal, WorkerEnd end, bool killedForMemory)
    {
        var name = signal switch { 4 => "SIGILL", 6 => "SIGABRT", 7 => "SIGBUS", 8 => "SIGFPE", 9 => "SIGKILL", 11 => "SIGSEGV", 15 => "SIGTERM", _ => $"signal {signal}" };
        if (signal == NativeProcess.SIGKILL) return killedForMemory ? (WorkerExit.OutOfMemory, "killed by the kernel: the pod's memory limit was reached") : (WorkerExit.Internal, "killed by SIGKILL from outside");
        if (signal == NativeProcess.SIGTERM) return (WorkerExit.Stopped, "ended by SIGTERM");
        if (Text(end.Tail) is { } known) return (known.Exit, $"{name}: {known.Message}");
        return (WorkerExit.Internal, LastLine(end.Tail) is { } line ? $"killed by {name}: {line}" : $"killed by {name}");
    }

    /// <summary>What native libraries print before they abort.</summary>
    private static (WorkerExit Exit, string Message)? Text(IReadOnlyList<string> tail)
    {
        foreach (var line in tail.Reverse())
        {
            if (Memory().IsMatch(line)) return (WorkerExit.OutOfMemory, line.Trim());
            if (Disk().IsMatch(line)) return (WorkerExit.DiskFull, line.Trim());
            if (Remote().IsMatch(line)) return (WorkerExit.PeerLost, line.Trim());   // before what NCCL says of any error: this one is of another rank
            if (Device().IsMatch(line)) return (WorkerExit.Device, line.Trim());
            if (Peer().IsMatch(line)) return (WorkerExit.PeerLost, line.Trim());
        }

        return null;
    }

    private static string? LastLine(IReadOnlyList<string> tail) => tail.LastOrDefault(l => !string.IsNullOrWhiteSpace(l))?.Trim();

    [GeneratedRegex(@"out of memory|OutOfMemory|std::bad_alloc|Cannot allocate memory", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Memory();

    [GeneratedRegex(@"No space left on device|Disk quota exceeded", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Disk();

    [GeneratedRegex(@"ncclRemoteError|remote process exited|Connection closed by remote peer|Watchdog caught collective operation timeout", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Remote();

    [GeneratedRegex(@"CUDA error|CUBLAS_STATUS|cuDNN error|ncclSystemError|ncclInternalError|ncclUnhandledCudaError|NCCL error|uncorrectable ECC|\bXid\b|device-side assert", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Device();

    [GeneratedRegex(@"Connection (reset|closed) by peer|Broken pipe|gloo.*(Timed out|Read error)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Peer();
}
