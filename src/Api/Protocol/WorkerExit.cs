namespace Opt.Api.Protocol;

/// <summary>Exit codes of <c>opt-trainer worker</c> and <c>opt-trainer train</c>. Stable: never renumber.</summary>
public enum WorkerExit
{
    /// <summary>The run is complete.</summary>
    Success = 0,

    /// <summary>An unclassified fault of the trainer itself.</summary>
    Internal = 1,

    /// <summary>Command line misuse.</summary>
    Usage = 2,

    /// <summary>The configuration cannot be run. Restarting does not help.</summary>
    Configuration = 64,

    /// <summary>Data missing, empty, damaged or of another vocabulary. Restarting does not help.</summary>
    Data = 65,

    /// <summary>libtorch or the shim is missing.</summary>
    TorchUnavailable = 66,

    /// <summary>A collective failed because a peer is gone. Never the root cause.</summary>
    PeerLost = 70,

    /// <summary>Ranks disagree: on the control word, the values in force, the sequence of collectives, or parameters that each of them holds.</summary>
    ControlDiverged = 71,

    /// <summary>The ranks did not find each other in time, or disagree on job, epoch or plan.</summary>
    Rendezvous = 72,

    /// <summary>The rendezvous port is taken.</summary>
    PortInUse = 73,

    /// <summary>The checkpoint to resume from is missing, damaged or of another model.</summary>
    Checkpoint = 74,

    /// <summary>The checkpoint store does not answer.</summary>
    Store = 75,

    /// <summary>A disk of the node is full, or its quota used up. A full checkpoint store has the store's code.</summary>
    DiskFull = 76,

    /// <summary>Host or device memory is exhausted.</summary>
    OutOfMemory = 77,

    /// <summary>The loss scaler gave up, or the loss stayed non-finite.</summary>
    Numerical = 78,

    /// <summary>Ended on request after saving.</summary>
    Drained = 79,

    /// <summary>Ended on request or SIGTERM without saving.</summary>
    Stopped = 80,

    /// <summary>The agent is gone.</summary>
    AgentLost = 81,

    /// <summary>An accelerator failed (CUDA, NCCL, ECC, Xid).</summary>
    Device = 82,

    /// <summary>A newer epoch fenced this one.</summary>
    Fenced = 83,

    /// <summary>Diagnostics found a fault of the node.</summary>
    NodeFaulty = 84,

    /// <summary>Diagnostics found no fault, but could not run all tests.</summary>
    DiagnosticsIncomplete = 85,
}
