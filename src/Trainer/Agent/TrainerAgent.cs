using Microsoft.Extensions.Logging;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Trainer.Agent.Processes;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Reports;

namespace Opt.Trainer.Agent;

/// <summary>
/// The one process a pod starts: takes fences, plans and control requests, runs the workers of its node, and tells what it sees. It never decides
/// and never ends by itself.
/// </summary>
internal sealed partial class TrainerAgent : IAsyncDisposable
{
    /// <summary>How long workers of an older epoch may take to end; they hold nothing worth waiting for.</summary>
    private static readonly TimeSpan ReplaceGrace = TimeSpan.FromSeconds(1);

    private const int LogbookEntries = 10_000;
    private readonly AgentOptions _options;
    private readonly AgentParts _parts;
    private readonly AgentIdentity _identity;
    private readonly CommitLog? _log;
    private readonly StoreWatch? _storeWatch;
    private readonly NodeDiagnostics _diagnostics;
    private readonly Lock _gate = new();
    private Launch? _launch;
    private Task _switching = Task.CompletedTask;
    private long _epoch;
    private bool _ending;

    public TrainerAgent(AgentOptions options, AgentParts parts)
    {
        _options = options;
        _parts = parts;
        _diagnostics = new(options, parts);
        _identity = new(Guid.NewGuid().ToString("n"), options.JobUid, options.PodName, options.PodUid, options.NodeName, options.Workers);
        if (parts.Store is not { } store) return;
        _log = new CommitLog(store, options.JobUid, options.PodName, parts.Time);
        _storeWatch = new StoreWatch(store, parts.Time);
    }

    /// <summary>What runs here, or ran last; null before the first plan.</summary>
    public RunPlan? Plan
    {
        get { lock (_gate) return _launch?.Plan; }
    }

    /// <summary>Highest epoch seen.</summary>
    public long Epoch
    {
        get
        {
            lock (_gate) return _epoch;
        }
    }

    public AgentStatus Status
    {
        get
        {
            lock (_gate)
            {
                return new()
                {
                    Instance = _identity.Instance,
                    JobUid = _identity.JobUid,
                    Pod = _identity.Pod,
                    PodUid = _identity.PodUid,
                    Node = _identity.Node,
                    State = _launch?.State ?? AgentState.Idle,
                    Epoch = _epoch,
                    Revision = _launch?.Revision ?? 0,
                    PlanEpoch = _launch?.Plan.Epoch,
                    PlanDigest = _launch?.Id.Digest,
                    Workers = _launch?.Workers ?? [],
                    LastStep = _launch?.Steps.Last,
                    LastAttempt = _launch?.LastAttempt ?? 0,
                    Store = _storeWatch?.Health ?? new() { Reachable = false, Error = "OPT_STORE is not set" },
                    Devices = DeviceProbe.Devices(_options.Workers),
                    Corpora = _launch?.Corpora,
                    Failure = _launch?.Failure,
                    Diagnostics = _diagnostics.Reports,
                };
            }
        }
    }

    /// <summary>Takes a plan, or says why not. The switch goes on in the background: the status tells how far it is.</summary>
    public PlanVerdict PutPlan(RunPlan plan)
    {
        lock (_gate)
        {
            var verdict = _ending ? PlanVerdict.Conflict($"pod {_identity.Pod} is ending") : PlanGate.Decide(plan, _identity, _epoch, _launch?.Id);
            if (verdict.Action == PlanAction.Revision) _launch!.NoteRevision(plan.Revision);
            if (verdict.Action is PlanAction.Conflict or PlanAction.Fault or PlanAction.Invalid) Log.Refused(_parts.Logger, plan.Epoch, plan.Revision, verdict.Message);
            if (verdict.Action != PlanAction.Launch) return verdict;
            Log.Taken(_parts.Logger, plan.Epoch, plan.Id.Digest, plan.Cause.Reason, plan.Cause.Message);
            var next = new Launch(plan, plan.Id, _options, _parts, _identity.Instance);
            var (before, previous) = (_switching, _launch);
            _epoch = plan.Epoch;
            _launch = next;
            _switching = Task.Run(() => SwitchAsync(before, previous, next));
            return verdict;
        }
    }

    /// <summary>Begins diagnostics, or says why not. One run at a time, and never beside workers.</summary>
    public PlanVerdict PostDiagnostics(DiagnosticsRequest request)
    {
        lock (_gate)
        {
            if (NodeDiagnostics.Fault(request) is { } fault) return PlanVerdict.Invalid(fault);
            if (_diagnostics.Knows(request.Id)) return PlanVerdict.Known;
            if (_ending) return PlanVerdict.Conflict($"pod {_identity.Pod} is ending");
            if (_diagnostics.IsRunning) return PlanVerdict.Conflict("other diagnostics are under way");
            var working = _launch?.Workers.Any(w => w.State is not WorkerState.Exited) == true ? _launch : null;
            if (working?.Plan.Epoch >= request.EndWorkersBelow) return PlanVerdict.Conflict($"workers of epoch {working.Plan.Epoch} run here");
            _diagnostics.Announce(request);
            var before = _switching;
            _switching = Task.Run(() => DiagnoseAsync(before, working, request));
            return PlanVerdict.Launch;
        }
    }

    /// <summary>Where the workers stand; what they did goes into the log too, since a run that is asked this is about to be ended.</summary>
    public StacksReport Stacks()
    {
        Launch? launch;
        lock (_gate) launch = _launch;
        var report = launch?.Stacks() ?? new() { Epoch = 0 };
        foreach (var worker in report.Workers) Log.Stack(_parts.Logger, worker.Rank, worker.State, worker.Process, worker.Activity, StackText.Of(worker.Threads));
        return report;
    }

    /// <summary>Appends the fence and answers the catalogue as of it.</summary>
    /// <exception cref="StoreFencedException">A newer epoch or another job owns the store.</exception>
    /// <exception cref="Stores.StoreException">The store does not answer.</exception>
    public async Task<Catalogue> FenceAsync(FenceRequest request, CancellationToken ct)
    {
        if (request.JobUid != _identity.JobUid) throw new StoreFencedException($"the fence is of job {request.JobUid}, this pod of {_identity.JobUid}");
        lock (_gate)
        {
            if (request.Epoch < _epoch) throw new StoreFencedException($"epoch {request.Epoch} is over: {_epoch} was seen");
        }

        var state = await RequireLog().FenceAsync(request.Epoch, request.Adopt, ct);
        lock (_gate) _epoch = Math.Max(_epoch, request.Epoch);
        if (request.CondemnAfterStep is { } onset) state = await RequireLog().CondemnAfterAsync(request.Epoch, onset, request.CondemnReason ?? "", ct);
        return state.ToCatalogue();
    }

    /// <summary>Writes down what is said of a checkpoint, and answers the catalogue after it; null when there is no such checkpoint. Repeating it changes nothing.</summary>
    /// <exception cref="StoreFencedException">Another job owns the store.</exception>
    /// <exception cref="Stores.StoreException">The store does not answer.</exception>
    public async Task<Catalogue?> MarkAsync(CheckpointMark mark, CancellationToken ct)
    {
        var state = await RequireLog().ReadAsync(ct);
        if (!CheckpointMarks.IsKnown(state, mark)) return null;
        if (mark.Pinned is { } pinned) state = await RequireLog().AppendAsync(s => CheckpointMarks.Pin(s, mark, pinned), ct);
        if (mark.Condemn is { } reason) state = await RequireLog().AppendAsync(s => CheckpointMarks.Condemn(s, mark, reason), ct);
        return state.ToCatalogue();
    }

    /// <summary>The catalogue as it is now.</summary>
    public async Task<Catalogue> CatalogueAsync(CancellationToken ct) => (await RequireLog().ReadAsync(ct)).ToCatalogue();

    /// <summary>Appends logbook entries that the store does not hold yet.</summary>
    public Task RecordAsync(LogbookRequest request, CancellationToken ct) => RequireLog().RecordAsync(request.Entries, ct);

    /// <summary>All that the store's logbook holds.</summary>
    public async Task<LogbookPage> LogbookAsync(CancellationToken ct)
    {
        var entries = await RunHistory.LogbookAsync(RequireStore(), ct);
        return new() { Total = entries.Count, Entries = [.. entries.TakeLast(LogbookEntries)] };
    }

    /// <summary>Step records of any epoch out of the store.</summary>
    public Task<ArchivePage> ArchiveAsync(long epoch, int after, CancellationToken ct) => RunHistory.ArchiveAsync(RequireStore(), epoch, after, ct);

    /// <returns>Null when the request was handed to rank 0, else why not.</returns>
    public string? Control(ControlRequest request)
    {
        lock (_gate) return _launch is { } launch ? launch.Control(request) : "no plan runs here";
    }

    /// <summary>Step records after an index; an epoch that does not run answers with the one that does, from its beginning.</summary>
    public Task<StepsPage> StepsAsync(long epoch, long after, TimeSpan wait, CancellationToken ct)
    {
        StepHistory? steps;
        lock (_gate) steps = _launch?.Steps;
        if (steps is null) return Task.FromResult(new StepsPage { Instance = _identity.Instance, Epoch = 0, Next = 0 });
        return steps.Epoch == epoch ? steps.PageAsync(after, wait, ct) : steps.PageAsync(0, TimeSpan.Zero, ct);
    }

    /// <summary>
    /// Ends the workers within <paramref name="grace"/>; for the end of the pod. Workers of an epoch that is over get no longer than when a plan
    /// replaces them: one that hangs would else keep its node for the whole grace.
    /// </summary>
    public async Task StopAsync(TimeSpan grace)
    {
        Launch? launch;
        Task switching;
        lock (_gate) (launch, switching, _ending) = (_launch, _switching, true);
        _diagnostics.Cancel();
        await switching;
        if (launch is null) return;
        using var ended = new CancellationTokenSource();
        var over = _log is null ? Task.Delay(Timeout.InfiniteTimeSpan, _parts.Time, ended.Token) : EpochEnd.WaitAsync(_log, launch.Plan, ReplaceGrace, _parts.Time, ended.Token);
        await launch.EndAsync(grace, over);
        await ended.CancelAsync();
        await over.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        if (_storeWatch is not null) await _storeWatch.DisposeAsync();
        _log?.Dispose();
    }

    private CommitLog RequireLog() => _log ?? throw NoStore();

    private Stores.ICheckpointStore RequireStore() => _parts.Store ?? throw NoStore();

    private static Stores.StoreException NoStore() => new(Stores.StoreFault.NotFound, "OPT_STORE is not set: the job has no checkpoint store");

    /// <summary>One switch at a time: workers of an epoch start when those of the one before are gone and reaped.</summary>
    private async Task SwitchAsync(Task before, Launch? previous, Launch next)
    {
        _diagnostics.Cancel();
        await before;
        if (previous is not null) await previous.EndAsync(ReplaceGrace);
        lock (_gate)
        {
            if (_launch != next || _ending) return;   // overtaken by a newer plan, or the pod ends
        }

        await next.StartAsync();
    }

    private async Task DiagnoseAsync(Task before, Launch? working, DiagnosticsRequest request)
    {
        await before;
        if (working is not null) await working.EndAsync(ReplaceGrace);
        Log.Diagnosing(_parts.Logger, request.Id, request.Set);
        await _diagnostics.RunAsync(request);
    }

    private static partial class Log   // 53xx: agent
    {
        [LoggerMessage(5312, LogLevel.Information, "Diagnostics {Id} ({Set})")]
        public static partial void Diagnosing(ILogger logger, string id, DiagnosticsSet set);

        [LoggerMessage(5313, LogLevel.Warning, "Asked where rank {Rank} stands: {State}, process {Process}, {Activity}{Threads}")]
        public static partial void Stack(ILogger logger, int rank, WorkerState state, string? process, WorkerActivity? activity, string threads);

        [LoggerMessage(5310, LogLevel.Information, "Took the plan of epoch {Epoch} ({Digest}): {Reason}: {Message}")]
        public static partial void Taken(ILogger logger, long epoch, string digest, string reason, string message);

        [LoggerMessage(5311, LogLevel.Warning, "Refused the plan of epoch {Epoch} revision {Revision}: {Reason}")]
        public static partial void Refused(ILogger logger, long epoch, int revision, string reason);
    }
}
