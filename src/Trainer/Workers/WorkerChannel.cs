using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using Opt.Api.Protocol;

namespace Opt.Trainer.Workers;

/// <summary>
/// The worker's end of the link to its agent. Two threads of its own, so that a busy thread pool delays neither a report nor the end of a
/// worker whose agent is gone. The kernel is asked to kill this process with its agent, too: that holds even when nothing here can run.
/// </summary>
public sealed partial class WorkerChannel : IWorkerChannel
{
    private const int PR_SET_PDEATHSIG = 1, SIGKILL = 9;
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan FlushDeadline = TimeSpan.FromSeconds(5);
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly TimeProvider _time;
    private readonly BlockingCollection<WorkerReport> _reports = [];
    private readonly ConcurrentQueue<ControlRequest> _controls = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastProgress = long.MinValue;

    private WorkerChannel(Socket socket, TimeProvider time)
    {
        _socket = socket;
        _stream = new NetworkStream(socket);
        _time = time;
        new Thread(ReadControls) { IsBackground = true, Name = "agent watch" }.Start();
        new Thread(WriteReports) { IsBackground = true, Name = "agent reports" }.Start();
    }

    public CancellationToken AgentLost => _lost.Token;

    /// <summary>Takes over the socket an agent passed on.</summary>
    public static WorkerChannel Open(int descriptor, TimeProvider time)
    {
        if (OperatingSystem.IsLinux()) _ = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        return new(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)), time);
    }

    public void ReportState(WorkerState state) => Send(new() { State = state });

    public void ReportRestoreProgress(double share)
    {
        var now = _time.GetTimestamp();
        var last = Interlocked.Read(ref _lastProgress);
        if (share < 1 && last != long.MinValue && _time.GetElapsedTime(last, now) < ProgressEvery) return;
        if (Interlocked.CompareExchange(ref _lastProgress, now, last) == last) Send(new() { RestoreProgress = share });
    }

    public void ReportStep(StepRecord record) => Send(new() { Step = record });

    public void ReportAttempt(long attempt) => Send(new() { Attempt = attempt });

    public void ReportFailure(WorkerExit exit, string message) => Send(new() { Exit = exit, Message = message.ReplaceLineEndings(" ") });

    /// <summary>How far diagnostics are.</summary>
    public void ReportDiagnostics(DiagnosticsReport report) => Send(new() { Diagnostics = report });

    public bool TryTakeControl(out ControlRequest request) => _controls.TryDequeue(out request!);

    /// <summary>Sends what is queued, within a deadline, and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_reports.IsAddingCompleted) return;
        _reports.CompleteAdding();
        await Task.WhenAny(_written.Task, Task.Delay(FlushDeadline, _time));
        try
        {
            _socket.Shutdown(SocketShutdown.Both);   // ends the read of the other thread, which a close alone would wait for
        }
        catch (SocketException)
        {
            // the agent was first
        }

        await _stream.DisposeAsync();
        _socket.Dispose();
    }

    private void Send(WorkerReport report)
    {
        try
        {
            _reports.Add(report);
        }
        catch (InvalidOperationException)
        {
            // Closed: nobody listens any more.
        }
    }

    private void WriteReports()
    {
        try
        {
            foreach (var report in _reports.GetConsumingEnumerable())
            {
                var line = JsonSerializer.SerializeToUtf8Bytes(report, LinkJson.Default.WorkerReport);
                _stream.Write(line);
                _stream.WriteByte((byte)'\n');
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The reader sees the same end of the link and says so.
        }

        _written.TrySetResult();
    }

    private void ReadControls()
    {
        try
        {
            using var lines = new StreamReader(_stream, leaveOpen: true);
            while (lines.ReadLine() is { } line) _controls.Enqueue(JsonSerializer.Deserialize(line, LinkJson.Default.ControlRequest)!);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // A reset is an end, too.
        }

        if (!_reports.IsAddingCompleted) _lost.Cancel();
    }

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);
}
