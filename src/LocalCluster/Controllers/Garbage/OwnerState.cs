using System.Text.Json.Nodes;

namespace Opt.LocalCluster.Controllers.Garbage;

/// <summary>What is known of an owner that a dependant names.</summary>
public enum OwnerState
{
    /// <summary>It exists with this uid and is not waiting for its dependants.</summary>
    Solid,

    /// <summary>It is being deleted in the foreground: it waits for the dependants that block it.</summary>
    WaitingForDependants,

    /// <summary>No object of this kind, name and uid exists.</summary>
    Absent,

    /// <summary>Its kind is not served (now); nothing is concluded from that.</summary>
    Unknown,
}
