using Opt.Api.Protocol;

namespace Opt.Planning.Tests.World;

/// <summary>An agent and its workers, as far as the operator can see them.</summary>
internal sealed class SimulatedAgent(string jobUid, string pod, string podUid, string node, string instance)
{
    public string PodUid => podUid;
    public string Instance => instance;
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
    public bool StopRequested { get; set; }
    public bool SaveRequested { get; set; }
    public HyperParameters? Live { get; set; }

    public bool Fence(long epoch)
    {
        if (epoch < Epoch) return false;
        Epoch = epoch;
        return true;
    }

    /// <summary>False: refused with 409.</summary>
    public bool Accept(RunPlan plan)
    {
        if (plan.Epoch < Epoch || (plan.Epoch == Plan?.Epoch && plan.Id.Digest != Plan.Id.Digest)) return false;
        if (Plan?.Id == plan.Id) return true;
        (Plan, Epoch, State, Failure, LastAttempt, LastStep, Revision, DrainRequested, Stopped, StopRequested, SaveRequested, Live) = (plan, plan.Epoch, AgentState.Launching, null, 0, null, 0, false, false, false, false, null);
        return true;
    }

    public void Fail(WorkerExit exit, DateTimeOffset at, string message = "died")
    {
        if (State is not (AgentState.Launching or AgentState.Running)) return;
        State = AgentState.Failed;
        Failure = exit is WorkerExit.PeerLost ? null : new() { Rank = 0, Exit = exit, ExitCode = (int)exit, Message = message, At = at };
    }

    public AgentStatus Status() => new()
    {
        Instance = instance, JobUid = jobUid, Pod = pod, PodUid = podUid, Node = node, State = State, Epoch = Epoch, Revision = Revision,
        PlanDigest = Plan?.Epoch == Epoch ? Plan.Id.Digest : null, LastAttempt = LastAttempt, LastStep = LastStep, Failure = Failure,
        Store = new() { Reachable = true }, Devices = [new() { Index = 0, Kind = "cpu", Healthy = !DeviceBroken }],
    };
}
