using System.Net.Sockets;
using System.Text.Json;
using Opt.Api.Protocol;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Agent.Processes;

/// <summary>
/// One worker: its process, its output and the agent's end of the link. Starts in the constructor's caller (<see cref="Start"/>); ends are
/// reported once, after everything it printed and reported was taken in.
/// </summary>
internal sealed class WorkerProcess
{
    private const int ChannelDescriptor = 3;

    /// <summary>Output still in the pipes when a worker has ended arrives within this, unless something it started escaped its group.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private readonly NetworkStream _link;
    private readonly WorkerOutput _output;
    private readonly TaskCompletionSource<WorkerEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _linkEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _writing = new();
    private WorkerReport? _failure;
    private bool _reaped;

    private WorkerProcess(int rank, int pid, NetworkStream link, WorkerOutput output)
    {
        Rank = rank;
        Pid = pid;
        _link = link;
        _output = output;
    }

    public int Rank { get; }
    public int Pid { get; }

    /// <summary>How it ended.</summary>
    public Task<WorkerEnd> Ended => _ended.Task;

    /// <param name="spawner">Every worker must be started on one thread that lives as long as the agent: the kernel's kill-with-parent counts threads.</param>
    /// <param name="report">Called on the worker's own thread, in order.</param>
    /// <param name="name">Before each of its lines in the log; default its rank.</param>
    /// <exception cref="IOException">It could not be started.</exception>
    public static async Task<WorkerProcess> StartAsync(int rank, IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string logFile, TextWriter log, Spawner spawner, Action<WorkerReport> report, string? name = null)
    {
        var (ours, theirs) = NativeProcess.SocketPair();
        var (read, write) = NativeProcess.Pipe();
        var variables = new Dictionary<string, string>(environment) { [WorkerEnvironment.ChannelVariable] = $"{ChannelDescriptor}" };
        int pid;
        try
        {
            pid = await spawner.RunAsync(() => NativeProcess.Spawn(command, variables, write, theirs, ChannelDescriptor));
        }
        catch
        {
            ours.Dispose();
            read.Dispose();
            throw;
        }
        finally
        {
            theirs.Dispose();   // the child has its own; ours would keep the link open after its end
            write.Dispose();
        }

        var worker = new WorkerProcess(rank, pid, new NetworkStream(new Socket(ours), ownsSocket: true), new WorkerOutput(read, name ?? $"rank {rank}", logFile, log));
        new Thread(() => worker.ReadReports(report)) { IsBackground = true, Name = $"link {rank}" }.Start();
        new Thread(worker.Reap) { IsBackground = true, Name = $"reaper {rank}" }.Start();
        return worker;
    }

    /// <summary>Hands a request to the worker; false when it is gone.</summary>
    public bool Send(ControlRequest request)
    {
        try
        {
            byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(request, LinkJson.Default.ControlRequest), (byte)'\n'];
            lock (_writing) _link.Write(line);
            return true;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Signals the worker and everything it started.</summary>
    public void Signal(int signal)
    {
        // Once reaped, its number may be another process's.
        lock (_writing)
        {
            if (!_reaped) NativeProcess.SignalGroup(Pid, signal);
        }
    }

    private void ReadReports(Action<WorkerReport> report)
    {
        try
        {
            using var lines = new StreamReader(_link, leaveOpen: true);
            while (lines.ReadLine() is { } line)
            {
                var message = JsonSerializer.Deserialize(line, LinkJson.Default.WorkerReport)!;
                if (message.Exit is not null) _failure = message;
                report(message);
            }
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            // A worker killed in the middle of a line; its end is reported by the reaper.
        }

        _linkEnded.TrySetResult();
    }

    private void Reap()
    {
        NativeProcess.WaitUntilEnded(Pid);
        (int? Code, int? Signal) end;
        lock (_writing)
        {
            NativeProcess.SignalGroup(Pid, NativeProcess.SIGKILL);   // what it started must not hold the device, the port or the link
            _reaped = true;
            end = NativeProcess.Reap(Pid);
        }

        Task.WaitAll([_linkEnded.Task, _output.Ended], LastWords);
        if (!_linkEnded.Task.IsCompleted) _link.Socket.Shutdown(SocketShutdown.Both);   // a close alone would wait for the reader
        _link.Dispose();
        _ended.TrySetResult(new(end.Code, end.Signal, _failure, _output.Tail));
    }
}

/// <summary>How a worker ended.</summary>
/// <param name="Said">Its own account, if it gave one.</param>
/// <param name="Tail">Last lines it printed.</param>
internal sealed record WorkerEnd(int? Code, int? Signal, WorkerReport? Said, IReadOnlyList<string> Tail);
