namespace Opt.Planning.Tests.World;

internal sealed class SimulatedNode(string name)
{
    public string Name => name;
    public string Uid => $"uid-{name}";

    /// <summary>Whether machine and network work; the cluster notices later.</summary>
    public bool Alive { get; set; } = true;

    public DateTimeOffset DeadSince { get; set; }
    public Quarantine? Quarantine { get; set; }

    /// <summary>Set when somebody takes it out of service.</summary>
    public Departure? Departure { get; set; }

    /// <summary>How many times longer its ranks work than others.</summary>
    public double Slow { get; set; } = 1;

    /// <summary>What jobs had against it.</summary>
    public NodeHistory History { get; set; } = NodeHistory.Empty;

    public void Cordon() => Departure = new($"node {name} is cordoned", IsClosed: true, IsUrgent: false);

    public bool IsReady(DateTimeOffset now) => Alive || now - DeadSince < TimeSpan.FromSeconds(40);   // the node controller's grace period
}

internal sealed class SimulatedPod
{
    public required string Name { get; init; }
    public required string Uid { get; init; }
    public required int Ordinal { get; init; }
    public required string Revision { get; init; }
    public SimulatedNode? Node { get; set; }
    public DateTimeOffset? BoundAt { get; set; }
    public bool Terminating { get; set; }

    /// <summary>Its processes cannot be ended, though its kubelet lives and tries.</summary>
    public bool Unending { get; set; }

    public DateTimeOffset? TerminatingSince { get; set; }
    public bool Failed { get; set; }

    /// <summary>Reason of the DisruptionTarget condition that it failed with.</summary>
    public string? Disruption { get; set; }

    /// <summary>Its agent was told to end, as by <c>kubectl delete pod</c>, and did.</summary>
    public bool Ended { get; set; }
    public SimulatedAgent? Agent { get; set; }
}
