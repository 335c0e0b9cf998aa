using System.Collections;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Torch;
using Opt.Trainer.Agent.Processes;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Data;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Agent;

/// <summary>
/// This node's part of one epoch: rendezvous store (on member 0), workers, their records. Workers are never restarted here: whatever ends is
/// reported, and only a newer plan starts others.
/// </summary>
internal sealed partial class Launch : IAsyncDisposable
{
    private readonly AgentOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TextWriter _output;
    private readonly Spawner _spawner;
    private readonly IRendezvousHost _rendezvousHost;
    private readonly StepArchive? _archive;
    private readonly Lock _gate = new();
    private readonly Seat[] _seats;
    private readonly List<WorkerFailure> _failures = [];
    private IDisposable? _rendezvous;
    private long _lastAttempt;
    private int _controlRevision;
    private bool _ending;

    public Launch(RunPlan plan, PlanId id, AgentOptions options, AgentParts parts, string instance)
    {
        Plan = plan;
        Id = id;
        _options = options;
        _time = parts.Time;
        _logger = parts.Logger;
        _output = parts.Output;
        _spawner = parts.Spawner;
        _rendezvousHost = parts.Rendezvous;
        MemberIndex = plan.Members.ToList().FindIndex(m => m.PodUid == options.PodUid);
        _seats = [.. Enumerable.Range(0, plan.WorkersPerMember).Select(local => new Seat(MemberIndex * plan.WorkersPerMember + local, parts.Time))];
        _controlRevision = plan.Revision;
        Steps = new StepHistory(plan.Epoch, instance, parts.Time);
        if (MemberIndex == 0 && parts.Store is { } store) _archive = new StepArchive(store, plan.Epoch, parts.Time, parts.Logger);
    }

    public RunPlan Plan { get; }
    public PlanId Id { get; }
    public int MemberIndex { get; }
    public StepHistory Steps { get; }

    /// <summary>What this node's copies of the corpora hold; null until they were looked at, and when one cannot be read: its worker says why.</summary>
    public EquatableList<CorpusDigest>? Corpora { get; private set; }

    public long LastAttempt
    {
        get
        {
            lock (_gate) return _lastAttempt;
        }
    }

    /// <summary>The failure that counts: the first that is not a consequence of another (peer-lost), else the first.</summary>
    public WorkerFailure? Failure
    {
        get
        {
            lock (_gate) return _failures.Find(f => f.Exit != WorkerExit.PeerLost) ?? _failures.FirstOrDefault();
        }
    }

    public EquatableList<WorkerStatus> Workers
    {
        get
        {
            lock (_gate) return [.. _seats.Select(s => s.Status)];
        }
    }

    public AgentState State
    {
        get
        {
            lock (_gate)
            {
                if (_failures.Count > 0) return AgentState.Failed;
                if (_seats.All(s => s.Status.State == WorkerState.Exited)) return AgentState.Completed;
                return _lastAttempt > 0 && _seats.All(s => s.Status.State is WorkerState.Training or WorkerState.Exited) ? AgentState.Running : AgentState.Launching;
            }
        }
    }

    /// <summary>Starts everything. A failure to start is a failure of the first local rank, not an exception.</summary>
    public async Task StartAsync()
    {
        try
        {
            if (MemberIndex == 0 && Plan.RendezvousPort != 0) _rendezvous = _rendezvousHost.Listen(Plan.RendezvousPort);
            var planFile = Path.Combine(_options.RunDirectory, string.Create(CultureInfo.InvariantCulture, $"plan-{Plan.Epoch}-{Plan.Revision}.json"));
            Directory.CreateDirectory(_options.RunDirectory);
            await File.WriteAllBytesAsync(planFile, JsonSerializer.SerializeToUtf8Bytes(Plan, ProtocolJson.Default.RunPlan));
            Corpora = CorpusFolder.Digests(_options.DataRoot, Plan.Training.Data);
            foreach (var seat in _seats) await StartAsync(seat, planFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TrainerException or TorchUnavailableException)
        {
            var exit = e switch { TrainerException t => t.Exit, TorchUnavailableException => WorkerExit.TorchUnavailable, _ => WorkerExit.Internal };
            Fail(_seats[0].Rank, exit, null, null, e.Message);
        }
    }

    /// <summary>Hands a control request to rank 0.</summary>
    /// <returns>Null when it was handed over, else why not.</returns>
    public string? Control(ControlRequest request)
    {
        if (MemberIndex != 0) return "rank 0 is not here: send control requests to the agent of member 0";
        WorkerProcess? rankZero;
        lock (_gate)
        {
            if (request.Epoch != Plan.Epoch) return $"epoch {request.Epoch} does not run here; {Plan.Epoch} does";
            if (request.Revision < _controlRevision) return $"revision {request.Revision} is over: {_controlRevision} was received";
            _controlRevision = request.Revision;
            rankZero = _seats[0].Process;
        }

        return rankZero?.Send(request) == true ? null : "rank 0 does not run";
    }

    /// <summary>Where the workers stand now. Asks nothing of them.</summary>
    public StacksReport Stacks()
    {
        WorkerStatus[] workers;
        lock (_gate) workers = [.. _seats.Select(s => s.Status)];
        return new()
        {
            Epoch = Plan.Epoch,
            Workers = [.. workers.Select(w => new WorkerStack
            {
                Rank = w.Rank,
                State = w.State,
                Process = w.Pid is { } pid && w.State is not WorkerState.Exited ? ProcessStacks.StateOf(pid) : null,
                Activity = w.State is WorkerState.Exited ? null : FlightRecorder.Read(FlightFile(w.Rank), _time),
                Threads = w.Pid is { } id && w.State is not WorkerState.Exited ? ProcessStacks.Threads(id) : [],
            })],
        };
    }

    /// <summary>Newest revision received; the workers' own, once a record carries it.</summary>
    public int Revision
    {
        get
        {
            lock (_gate) return Steps.Last?.Revision ?? _controlRevision;
        }
    }

    /// <summary>A revision that reached the other members' agents for the record.</summary>
    public void NoteRevision(int revision)
    {
        lock (_gate) _controlRevision = Math.Max(_controlRevision, revision);
    }

    /// <summary>Ends every worker: TERM, the grace, KILL; returns when all are reaped and the rendezvous port is free.</summary>
    /// <param name="over">When it completes, the grace is over too; it must not fail.</param>
    public async Task EndAsync(TimeSpan grace, Task? over = null)
    {
        WorkerProcess[] running;
        lock (_gate)
        {
            _ending = true;
            running = [.. _seats.Select(s => s.Process).OfType<WorkerProcess>()];
        }

        var ended = Task.WhenAll(running.Select(w => w.Ended));
        if (!ended.IsCompleted && grace > TimeSpan.Zero)
        {
            foreach (var worker in running) worker.Signal(NativeProcess.SIGTERM);
            await Task.WhenAny([ended, Task.Delay(grace, _time), .. over is null ? Array.Empty<Task>() : [over]]);
        }

        foreach (var worker in running) worker.Signal(NativeProcess.SIGKILL);
        await ended;
        foreach (var file in _seats.Select(s => FlightFile(s.Rank)).Where(File.Exists)) File.Delete(file);
        _rendezvous?.Dispose();
        Steps.Close();
        if (_archive is { } archive) await archive.DisposeAsync();
    }

    public ValueTask DisposeAsync() => new(EndAsync(TimeSpan.Zero));

    private async Task StartAsync(Seat seat, string planFile)
    {
        FlightRecorder.Create(FlightFile(seat.Rank));
        var kills = MemoryEvents.OutOfMemoryKills();
        var log = Path.Combine(_options.RunDirectory, "logs", string.Create(CultureInfo.InvariantCulture, $"epoch-{Plan.Epoch}-rank-{seat.Rank}.log"));
        var worker = await WorkerProcess.StartAsync(seat.Rank, _options.WorkerCommand, EnvironmentOf(seat, planFile), log, _output, _spawner, report => Take(seat, report));
        lock (_gate) seat.Started(worker);
        _ = WatchAsync(seat, worker, kills);
    }

    /// <summary>In memory where there is a folder for that: a page on a disk that hangs would hold the worker up.</summary>
    private string FlightFile(int rank) => Path.Combine(_options.MemoryDirectory ?? _options.RunDirectory, string.Create(CultureInfo.InvariantCulture, $"flight-{_options.PodUid}-{Plan.Epoch}-{rank}"));

    private Dictionary<string, string> EnvironmentOf(Seat seat, string planFile)
    {
        var variables = new Dictionary<string, string>();
        foreach (DictionaryEntry inherited in Environment.GetEnvironmentVariables()) variables[(string)inherited.Key] = (string?)inherited.Value ?? "";
        variables[WorkerEnvironment.RankVariable] = seat.Rank.ToString(CultureInfo.InvariantCulture);
        variables[WorkerEnvironment.LocalRankVariable] = (seat.Rank - _seats[0].Rank).ToString(CultureInfo.InvariantCulture);
        variables[WorkerEnvironment.PlanFileVariable] = planFile;
        variables[WorkerEnvironment.DataRootVariable] = _options.DataRoot;
        variables[WorkerEnvironment.RunDirectoryVariable] = _options.RunDirectory;
        variables[WorkerEnvironment.FlightVariable] = FlightFile(seat.Rank);
        variables[TierEnvironment.FoldersVariable] = string.Join(':', _options.CopyFolders);
        var threads = _options.ThreadsPerWorker ?? Math.Max(1, Environment.ProcessorCount / _options.Workers);
        foreach (var (name, value) in ThreadPools.Variables(threads)) variables[name] = value;
        return variables;
    }

    private void Take(Seat seat, WorkerReport report)
    {
        lock (_gate)
        {
            seat.Take(report);
            _lastAttempt = Math.Max(_lastAttempt, report.Attempt ?? report.Step?.Attempt ?? 0);
        }

        if (report.Step is not { } step) return;
        Steps.Add(step);
        _archive?.Add(step);
    }

    private async Task WatchAsync(Seat seat, WorkerProcess worker, long killsBefore)
    {
        var end = await worker.Ended;
        var (exit, message) = ExitClassifier.Classify(end, MemoryEvents.OutOfMemoryKills() > killsBefore);
        bool ending;
        lock (_gate)
        {
            seat.Ended(end);
            ending = _ending;
        }

        if (exit is WorkerExit.Success or WorkerExit.Drained or WorkerExit.Stopped) Log.Ended(_logger, seat.Rank, exit);
        else if (!ending) Fail(seat.Rank, exit, end.Code, end.Signal, message);
        if (!ending && _archive is { } archive && State is AgentState.Completed or AgentState.Failed) await _archive!.FinishAsync();
    }

    private void Fail(int rank, WorkerExit exit, int? code, int? signal, string message)
    {
        Log.Failed(_logger, rank, exit, message);
        lock (_gate) _failures.Add(new() { Rank = rank, Exit = exit, ExitCode = code, Signal = signal, Message = message.Length > 1000 ? message[..1000] : message, At = _time.GetUtcNow() });
    }

    /// <summary>One local rank.</summary>
    private sealed class Seat(int rank, TimeProvider time)
    {
        private long _restoring;

        public int Rank => rank;
        public WorkerProcess? Process { get; private set; }
        public WorkerStatus Status { get; private set; } = new() { Rank = rank, State = WorkerState.Starting };

        public void Started(WorkerProcess process)
        {
            Process = process;
            Status = Status with { Pid = process.Pid };
        }

        public void Take(WorkerReport report)
        {
            if (Status.State == WorkerState.Exited) return;
            if (report.State is { } state) (_restoring, Status) = (time.GetTimestamp(), Status with { State = state, RestoreProgress = null, RestoreSecondsLeft = null });
            if (report.RestoreProgress is { } share && Status.State == WorkerState.Restoring) Status = Status with { RestoreProgress = share, RestoreSecondsLeft = SecondsLeft(share) };
        }

        private double? SecondsLeft(double share) => share <= 0 ? null : Math.Round(time.GetElapsedTime(_restoring).TotalSeconds * (1 - share) / share, 1);

        public void Ended(WorkerEnd end) => Status = Status with { State = WorkerState.Exited, ExitCode = end.Code, Signal = end.Signal, RestoreProgress = null, RestoreSecondsLeft = null };
    }

    private static partial class Log   // 53xx: agent
    {
        [LoggerMessage(5301, LogLevel.Information, "Rank {Rank} ended: {Exit}")]
        public static partial void Ended(ILogger logger, int rank, WorkerExit exit);

        [LoggerMessage(5302, LogLevel.Error, "Rank {Rank} failed: {Exit}: {Reason}")]
        public static partial void Failed(ILogger logger, int rank, WorkerExit exit, string reason);
    }
}
