namespace Opt.Api.V1Alpha1;

/// <summary>A cache of what the operator knows; rebuilt from plans, agents and store, never decided from.</summary>
public sealed record OptTrainingJobStatus
{
    public long ObservedGeneration { get; init; }
    public JobPhase Phase { get; set; } = JobPhase.Pending;
    public EquatableList<Condition> Conditions { get; set; } = [];

    /// <summary>Generation number of the current launch.</summary>
    public long Epoch { get; init; }

    /// <summary>Revision of live values within the epoch.</summary>
    public int Revision { get; init; }

    /// <summary>Successful optimizer updates.</summary>
    public long Step { get; init; }

    /// <summary>Steps at which the job succeeds.</summary>
    public long TotalSteps { get; init; }

    /// <summary>Forward passes of a whole batch, skipped ones included.</summary>
    public long Attempt { get; init; }

    public long Samples { get; init; }
    public long Tokens { get; init; }

    /// <summary>Mean loss in nats per token of the newest attempt.</summary>
    public double? Loss { get; init; }

    public double? LearningRate { get; init; }
    public double? LossScale { get; init; }
    public double? GradientNorm { get; init; }
    public double? TokensPerSecond { get; init; }

    /// <summary>Seconds of the newest attempt.</summary>
    public double? StepSeconds { get; init; }

    public CheckpointStatus? LastCheckpoint { get; init; }
    public CheckpointStatus? LastHealthyCheckpoint { get; init; }
    public NodesStatus Nodes { get; set; } = new();
    public RestartsStatus Restarts { get; set; } = new();

    /// <summary>Every second of the job, each in one account.</summary>
    public EquatableList<LedgerAccount> Goodput { get; set; } = [];

    /// <summary>The newest 20 logbook entries, oldest first.</summary>
    public EquatableList<LogbookEntry> Logbook { get; set; } = [];

    public DateTimeOffset? StartTime { get; init; }
    public DateTimeOffset? CompletionTime { get; init; }
}

/// <summary>Where a job is in its life.</summary>
public enum JobPhase { Pending, Provisioning, Launching, Running, Recovering, Suspended, Succeeded, Failed }

/// <summary>A standard Kubernetes condition.</summary>
public sealed record Condition
{
    public required string Type { get; init; }

    /// <summary>True, False or Unknown.</summary>
    public required string Status { get; init; }

    public required string Reason { get; init; }
    public string Message { get; set; } = "";
    public DateTimeOffset LastTransitionTime { get; init; }
    public long ObservedGeneration { get; init; }
}

/// <summary>One checkpoint as the status shows it.</summary>
public sealed record CheckpointStatus
{
    public required long Step { get; init; }
    public required long Epoch { get; init; }
    public required DateTimeOffset CommittedAt { get; init; }
    public required long Bytes { get; init; }
    public required string Location { get; init; }
    public HealthVerdict Verdict { get; init; }
}

/// <summary>Pending until enough good steps followed, then Healthy; Condemned when a divergence began before it.</summary>
public enum HealthVerdict { Pending, Healthy, Condemned }

/// <summary>Counts, and at most 32 exceptional nodes.</summary>
public sealed record NodesStatus
{
    public int Desired { get; init; }
    public int Ready { get; init; }
    public int SparesReady { get; init; }
    public EquatableList<QuarantinedNode> Quarantined { get; set; } = [];
}

/// <summary>A node this job put aside.</summary>
public sealed record QuarantinedNode
{
    public required string Name { get; init; }
    public required string Reason { get; init; }
    public required DateTimeOffset Since { get; init; }
}

/// <summary>How often the job was relaunched, and why.</summary>
public sealed record RestartsStatus
{
    public int Total { get; init; }
    public EquatableList<RestartCount> ByCause { get; set; } = [];
}

/// <summary>Relaunches of one cause.</summary>
public sealed record RestartCount
{
    public required string Cause { get; init; }
    public required int Count { get; init; }
}

/// <summary>Seconds in one account of the goodput ledger: productive, provision, rendezvous, restore, recompute, checkpointStall, detect, diagnose, pause.</summary>
public sealed record LedgerAccount
{
    public required string Account { get; init; }
    public required double Seconds { get; init; }
}

/// <summary>One decision or intervention: when, who, what, why.</summary>
public sealed record LogbookEntry
{
    public required DateTimeOffset Time { get; init; }
    public required long Epoch { get; init; }
    public required long Step { get; init; }

    /// <summary>operator, policy NAME, or a user.</summary>
    public required string Actor { get; init; }

    public required string What { get; init; }
    public required string Why { get; init; }
}
