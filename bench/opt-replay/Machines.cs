using Opt.Api.Protocol;
using Opt.Planning;

namespace Opt.Replay;

/// <summary>One machine.</summary>
public sealed class Machine(string name)
{
    public string Name => name;
    public bool Alive { get; set; } = true;
    public double DeadSince { get; set; }

    /// <summary>Its Node object was removed.</summary>
    public bool Removed { get; set; }

    /// <summary>It has run a pod: the image is there.</summary>
    public bool Warm { get; set; }

    /// <summary>Seconds after a first step at which it fails; null for a sound machine.</summary>
    public double? FailsAfter { get; set; }

    /// <summary>It makes every run hang that it takes part in, until it is put aside.</summary>
    public bool Hangs { get; set; }

    /// <summary>Its own health check finds the fault.</summary>
    public bool Unhealthy { get; set; }

    public Quarantine? Quarantine { get; set; }

    /// <summary>What the job had against it.</summary>
    public NodeHistory History { get; set; } = NodeHistory.Empty;
}

/// <summary>One pod with its agent, and what the operator last heard of it.</summary>
public sealed class Pod
{
    public required string Name { get; init; }
    public required string Uid { get; init; }
    public required int Ordinal { get; init; }
    public Machine? Machine { get; set; }
    public double ReadyAt { get; set; }
    public bool Terminating { get; set; }
    public AgentStatus? Agent { get; set; }
    public RunPlan? Plan { get; set; }

    /// <summary>What polling has shown so far.</summary>
    public AgentView View { get; set; } = null!;

    public double NextPoll { get; set; }

    /// <summary>Removed, and its memory with it.</summary>
    public bool IsGone { get; set; }

    public bool Answers => Agent is not null && Machine is { Alive: true };
}
