using System.Runtime.CompilerServices;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning.Tests.World;

/// <summary>An agent and its workers, as far as the operator can see them.</summary>
internal sealed class SimulatedAgent(string jobUid, string pod, string podUid, string node, string instance)
{
    // Digests are taken once a plan, as agents do that keep it: thousands of them share one here.
    private static readonly ConditionalWeakTable<RunPlan, StrongBox<PlanId>> Ids = [];

    public string PodUid => podUid;
    public string Instance => instance;

    /// <summary>Another process in the same pod.</summary>
    public SimulatedAgent Successor(string other) => new(jobUid, pod, podUid, node, other) { DeviceBroken = DeviceBroken };

    public RunPlan? Plan { get; private set; }
    public long Epoch { get; private set; }
    public AgentState State { get; set; } = AgentState.Idle;
    public WorkerFailure? Failure { get; set; }
    public long LastAttempt { get; set; }
    public StepRecord? LastStep { get; set; }
    public int Revision { get; set; }
    public bool DrainRequested { get; set; }
    public bool DeviceBroken { get; set; }
    public bool Stopped { get; set; }

    /// <summary>Its worker is stopped by a signal; without it one that is <see cref="Stopped"/> waits in a collective as all others do.</summary>
    public bool Frozen { get; set; }

    public bool StopRequested { get; set; }
    public bool SaveRequested { get; set; }
    public HyperParameters? Live { get; set; }
    public CheckpointSpec? LiveCheckpoint { get; set; }

    /// <summary>Its workers, where a test looks at them.</summary>
    public IReadOnlyList<WorkerStatus> Workers { get; set; } = [];

    /// <summary>What its copies of the corpora hold; one of an older release does not say.</summary>
    public IReadOnlyList<CorpusDigest>? Corpora { get; set; }

    /// <summary>Whether this trainer can test its node; one of an older release cannot.</summary>
    public bool CanTest { get; set; }

    /// <summary>What its own tests find; null when they find nothing.</summary>
    public string? TestFault { get; set; }

    /// <summary>Digest of its training step, where it has one.</summary>
    public string? Bits { get; set; }

    /// <summary>Runs of tests, with when each ends.</summary>
    public List<(DiagnosticsReport Report, DateTimeOffset Ends)> Tests { get; } = [];

    /// <summary>Takes seconds; <paramref name="networkFault"/> says how a test with partners ends.</summary>
    /// <returns>False: refused with 409.</returns>
    public bool Diagnose(DiagnosticsRequest request, DateTimeOffset now, Func<IReadOnlyList<string>, string?>? networkFault = null)
    {
        if (Tests.Any(t => t.Report.Id == request.Id)) return true;
        if (Tests.Any(t => t.Ends > now)) return false;
        if (State is AgentState.Launching or AgentState.Running && Epoch >= request.EndWorkersBelow && Plan?.Epoch >= request.EndWorkersBelow) return false;
        if (State is AgentState.Launching or AgentState.Running) State = AgentState.Completed;
        string[] others = request.Group is null ? [] : [.. request.Group.Members.Where((_, i) => i != request.Group.Rank)];
        var fault = request.Set is DiagnosticsSet.Network ? networkFault?.Invoke(others) : TestFault;
        var (test, outcome) = (request.Set is DiagnosticsSet.Network ? DiagnosticTests.Collectives : Bits is null ? DiagnosticTests.MatrixProduct : DiagnosticTests.TrainingStep, fault is null ? DiagnosticOutcome.Passed : DiagnosticOutcome.Failed);
        Tests.Add((new()
        {
            Id = request.Id, Set = request.Set, State = fault is null ? DiagnosticsState.Passed : DiagnosticsState.Failed, StartedAt = now, With = [.. others],
            Tests = [new() { Test = test, Outcome = outcome, Detail = fault ?? "good", Digest = Bits, Environment = Bits is null ? null : "same" }],
        }, now + TimeSpan.FromSeconds(3)));
        return true;
    }

    private Opt.Api.EquatableList<DiagnosticsReport> Reports(DateTimeOffset now) => [.. Tests.TakeLast(8).Select(t => t.Ends <= now ? t.Report : t.Report with { State = DiagnosticsState.Running, Tests = [] })];

    public bool Fence(long epoch)
    {
        if (epoch < Epoch) return false;
        Epoch = epoch;
        return true;
    }

    /// <summary>False: refused with 409.</summary>
    public bool Accept(RunPlan plan)
    {
        if (plan.Epoch < Epoch || (plan.Epoch == Plan?.Epoch && IdOf(plan).Digest != IdOf(Plan).Digest)) return false;
        if (Plan is not null && IdOf(Plan) == IdOf(plan)) return true;
        (Plan, Epoch, State, Failure, LastAttempt, LastStep, Revision, DrainRequested, Stopped, Frozen, StopRequested, SaveRequested, Live, LiveCheckpoint) = (plan, plan.Epoch, AgentState.Launching, null, 0, null, 0, false, false, false, false, false, null, null);
        return true;
    }

    public static PlanId IdOf(RunPlan plan) => Ids.GetValue(plan, p => new(p.Id)).Value;

    /// <summary>One worker a node.</summary>
    public StacksReport Stacks() => new()
    {
        Epoch = Plan?.Epoch ?? 0,
        Workers = Plan is null ? [] : [new()
        {
            Rank = Plan.Members.ToList().FindIndex(m => m.PodUid == podUid), State = WorkerState.Training, Process = Frozen ? "T" : "S",
            Activity = new() { Attempt = LastAttempt + 1, Phase = "backward", Block = 3, Submitted = 20 * LastAttempt + (Frozen ? 7 : 8), Finished = 20 * LastAttempt + 6, WaitsFor = Frozen ? null : 20 * LastAttempt + 7, Collective = "reduce-scatter" },
        }],
    };

    public void Fail(WorkerExit exit, DateTimeOffset at, string message = "died")
    {
        if (State is not (AgentState.Launching or AgentState.Running)) return;
        State = AgentState.Failed;
        Failure = exit is WorkerExit.PeerLost ? null : new() { Rank = 0, Exit = exit, ExitCode = (int)exit, Message = message, At = at };
    }

    public AgentStatus Status(DateTimeOffset now = default) => new()
    {
        Instance = instance, JobUid = jobUid, Pod = pod, PodUid = podUid, Node = node, State = State, Epoch = Epoch, Revision = Revision,
        PlanEpoch = Plan?.Epoch, PlanDigest = Plan is null ? null : IdOf(Plan).Digest, LastAttempt = LastAttempt, LastStep = LastStep, Failure = Failure, Workers = [.. Workers], Diagnostics = CanTest ? Reports(now) : null, Corpora = Corpora is null ? null : [.. Corpora],
        Store = new() { Reachable = true }, Devices = [new() { Index = 0, Kind = "cpu", Healthy = !DeviceBroken }],
    };
}
