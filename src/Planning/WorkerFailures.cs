using Opt.Api.Protocol;

namespace Opt.Planning;

/// <summary>What a worker's exit says about whose fault it was.</summary>
internal static class WorkerFailures
{
    /// <summary>Exits that follow from another member's failure or from an order; never a root cause.</summary>
    public static bool IsConsequence(WorkerExit exit) => exit is WorkerExit.PeerLost or WorkerExit.AgentLost or WorkerExit.Stopped or WorkerExit.Drained or WorkerExit.Fenced or WorkerExit.Success;

    public static (Severity Severity, string Reason) Classify(WorkerExit exit) => exit switch
    {
        WorkerExit.Configuration or WorkerExit.Usage => (Severity.User, Reasons.Configuration),
        WorkerExit.Data => (Severity.User, Reasons.Data),
        WorkerExit.TorchUnavailable => (Severity.User, Reasons.TorchUnavailable),
        WorkerExit.Device => (Severity.Node, Reasons.DeviceFailed),
        WorkerExit.OutOfMemory => (Severity.Process, Reasons.OutOfMemory),
        WorkerExit.DiskFull => (Severity.Process, Reasons.DiskFull),
        WorkerExit.ControlDiverged => (Severity.Process, Reasons.ControlDiverged),
        WorkerExit.Rendezvous or WorkerExit.PortInUse => (Severity.Shared, Reasons.Rendezvous),
        WorkerExit.Store => (Severity.Shared, Reasons.StoreFailed),
        WorkerExit.Checkpoint => (Severity.Shared, Reasons.CheckpointUnreadable),
        WorkerExit.Numerical => (Severity.Shared, Reasons.Numerical),
        _ => (Severity.Process, Reasons.WorkerFailed),
    };
}
