using Opt.Api;

namespace Opt.Planning;

/// <summary>Something that ends an epoch.</summary>
public sealed record Incident
{
    /// <summary>The epoch it ended.</summary>
    public required long Epoch { get; init; }

    /// <summary>Names this one occurrence: an action is taken at most once for it.</summary>
    public required string CauseId { get; init; }

    /// <summary>One of <see cref="Reasons"/>.</summary>
    public required string Reason { get; init; }

    public required string Message { get; init; }
    public required Severity Severity { get; init; }

    /// <summary>The pod it happened in; null when nobody stands out.</summary>
    public string? Pod { get; init; }

    public string? PodUid { get; init; }

    /// <summary>The node that pod was on.</summary>
    public string? Node { get; init; }

    public required DateTimeOffset DetectedAt { get; init; }

    /// <summary>Digest of a checkpoint that could not be restored.</summary>
    public string? BadCheckpoint { get; init; }
}

/// <summary>Where on the ladder an incident starts.</summary>
public enum Severity
{
    /// <summary>The user's or the cluster's own doing: relaunch, charge no budget.</summary>
    Planned,

    /// <summary>Relaunch in the same pods; the node is suspected once the budget for that is used up.</summary>
    Process,

    /// <summary>As Process, but no node is ever suspected: the cause is common to all of them.</summary>
    Shared,

    /// <summary>The evidence is against the node: replace it at once.</summary>
    Node,

    /// <summary>Restarting cannot help: stop and say why.</summary>
    User,
}

/// <summary>Reasons of plans and incidents, as status, events and metrics show them. A closed list: they are metric labels.</summary>
public static class Reasons
{
    public const string Start = "Start";
    public const string Resumed = "Resumed";
    public const string SpecChanged = "SpecChanged";
    public const string Divergence = "Divergence";
    public const string DivergenceHardware = "DivergenceHardware";
    public const string DivergenceReplay = "DivergenceReplay";
    public const string RollbackRequested = "RollbackRequested";
    public const string RelaunchRequested = "RelaunchRequested";
    public const string HyperParametersChanged = "HyperParametersChanged";
    public const string WorkerFailed = "WorkerFailed";
    public const string DeviceFailed = "DeviceFailed";
    public const string OutOfMemory = "OutOfMemory";
    public const string DiskFull = "DiskFull";
    public const string Rendezvous = "Rendezvous";
    public const string ControlDiverged = "ControlDiverged";
    public const string Numerical = "Numerical";
    public const string StoreFailed = "StoreFailed";
    public const string CheckpointUnreadable = "CheckpointUnreadable";
    public const string Configuration = "Configuration";
    public const string Data = "Data";
    public const string TorchUnavailable = "TorchUnavailable";
    public const string PeerLost = "PeerLost";
    public const string PodLost = "PodLost";
    public const string PodFailed = "PodFailed";
    public const string NodeLost = "NodeLost";
    public const string NodeQuarantined = "NodeQuarantined";
    public const string NodeLeft = "NodeLeft";
    public const string AgentRestarted = "AgentRestarted";
    public const string AgentSilent = "AgentSilent";
    public const string Hang = "Hang";
    public const string Straggler = "Straggler";
    public const string Slow = "Slow";
    public const string NodesReturned = "NodesReturned";
    public const string LaunchDeadline = "LaunchDeadline";
    public const string EpochFenced = "EpochFenced";
    public const string PlanRefused = "PlanRefused";
    public const string StoppedEarly = "StoppedEarly";
    public const string DiagnosticsFailed = "DiagnosticsFailed";
    public const string DiagnosticsRequested = "DiagnosticsRequested";

    /// <summary>Causes that are somebody's wish, not a fault: no budget, no back-off, no count of missing progress.</summary>
    public static readonly EquatableList<string> Wanted =
        [Start, Resumed, SpecChanged, HyperParametersChanged, Divergence, DivergenceReplay, RollbackRequested, RelaunchRequested, NodeLeft, DiagnosticsRequested, Slow, NodesReturned];
}
