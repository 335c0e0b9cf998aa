namespace Opt.Api.V1Alpha1;

/// <summary>A cache of what the operator knows; rebuilt from plans, agents and store, never decided from.</summary>
public sealed record OptTrainingJobStatus
{
    /// <summary>Generation of the spec this status was computed from.</summary>
    public long ObservedGeneration { get; init; }

    /// <summary>Where the job is in its life.</summary>
    public JobPhase Phase { get; set; } = JobPhase.Pending;

    /// <summary>Standard conditions: SpecValid, PodTemplateValid, MembersPlaced, StoreReachable, Running, HyperParametersInForce, Succeeded, Failed...</summary>
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

    /// <summary>Samples consumed, successful or not.</summary>
    public long Samples { get; init; }

    /// <summary>Tokens consumed, successful or not.</summary>
    public long Tokens { get; init; }

    /// <summary>Mean loss in nats per token of the newest attempt.</summary>
    public double? Loss { get; init; }

    /// <summary>Learning rate of the newest attempt.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Loss scale of the newest attempt; 1 unless precision is fp16.</summary>
    public double? LossScale { get; init; }

    /// <summary>Global L2 norm of the newest gradient before clipping.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Throughput of the newest attempt.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>Seconds of the newest attempt.</summary>
    public double? StepSeconds { get; init; }

    /// <summary>The newest committed checkpoint.</summary>
    public CheckpointStatus? LastCheckpoint { get; init; }

    /// <summary>The newest checkpoint that is Healthy.</summary>
    public CheckpointStatus? LastHealthyCheckpoint { get; init; }

    /// <summary>How far the workers are with the checkpoint; absent unless they are restoring one.</summary>
    public RestoreStatus? Restore { get; init; }

    /// <summary>Counts of machines, and those put aside.</summary>
    public NodesStatus Nodes { get; set; } = new();

    /// <summary>Relaunches by cause.</summary>
    public RestartsStatus Restarts { get; set; } = new();

    /// <summary>Every second of the job, each in one account.</summary>
    public EquatableList<LedgerAccount> Goodput { get; set; } = [];

    /// <summary>Share of productive time in the last hour and the last day.</summary>
    public EquatableList<GoodputWindow> GoodputWindows { get; set; } = [];

    /// <summary>What the windows are made from: 12 spans of 5 minutes and 24 of an hour, oldest first.</summary>
    public EquatableList<GoodputSpan> GoodputHistory { get; set; } = [];

    /// <summary>Unproductive time by cause and node, the largest 32; the rest is under Other.</summary>
    public EquatableList<LostTime> LostTime { get; set; } = [];

    /// <summary>While training stands still, or repeats what a stop took back: what the ledger said when it stopped.</summary>
    public LedgerMark? GoodputStop { get; init; }

    /// <summary>What the ledger said when the day (UTC) began, or the job.</summary>
    public LedgerMark? GoodputDay { get; init; }

    /// <summary>What the measured failures and stalls say about spares and the checkpoint interval.</summary>
    public AdviceStatus? Advice { get; init; }

    /// <summary>Up to when the ledger is complete.</summary>
    public DateTimeOffset? GoodputAsOf { get; init; }

    /// <summary>Highest step ever reached; steps up to it that run again are charged to recompute.</summary>
    public long HighestStep { get; init; }

    /// <summary>The newest 20 logbook entries, oldest first.</summary>
    public EquatableList<LogbookEntry> Logbook { get; set; } = [];

    /// <summary>Number of the run, as OPT's 12.43: the second part rises with every intervention that goes back.</summary>
    public string Run { get; set; } = "";

    /// <summary>Each live hyper-parameter: its value, who set it, since when, and what the trainer reports in force.</summary>
    public EquatableList<HyperParameterStatus> HyperParameters { get; set; } = [];

    /// <summary>What each divergence policy did so far.</summary>
    public EquatableList<DivergencePolicyStatus> DivergencePolicies { get; set; } = [];

    /// <summary>Answers to one-shot requests, the newest 20.</summary>
    public EquatableList<HandledRequestStatus> HandledRequests { get; set; } = [];

    /// <summary>The newest tests of nodes, faults first; at most 32.</summary>
    public EquatableList<NodeTestStatus> NodeTests { get; set; } = [];

    /// <summary>Evidence that is waited out, each with the deadline at which it is acted on, the next one first; at most 32. Empty while all is well.</summary>
    public EquatableList<WatchStatus> Watches { get; set; } = [];

    /// <summary>Up to which epoch and attempt the policies have judged the step records.</summary>
    public JudgedStatus? Judged { get; init; }

    /// <summary>When the operator first acted on the job.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>When the job succeeded or failed.</summary>
    public DateTimeOffset? CompletionTime { get; init; }
}

/// <summary>Where a job is in its life.</summary>
public enum JobPhase { Pending, Provisioning, Launching, Running, Recovering, Suspended, Paused, Succeeded, Failed }

/// <summary>A standard Kubernetes condition.</summary>
public sealed record Condition
{
    /// <summary>What it is about, in CamelCase.</summary>
    public required string Type { get; init; }

    /// <summary>True, False or Unknown.</summary>
    public required string Status { get; init; }

    /// <summary>Machine-readable reason, in CamelCase.</summary>
    public required string Reason { get; init; }

    /// <summary>For people.</summary>
    public string Message { get; set; } = "";

    /// <summary>When status last changed.</summary>
    public DateTimeOffset LastTransitionTime { get; init; }

    /// <summary>Generation of the spec it was computed from.</summary>
    public long ObservedGeneration { get; init; }
}

/// <summary>One checkpoint as the status shows it.</summary>
public sealed record CheckpointStatus
{
    /// <summary>Optimizer updates it holds.</summary>
    public required long Step { get; init; }

    /// <summary>The epoch that wrote it.</summary>
    public required long Epoch { get; init; }

    /// <summary>When its commit was seen.</summary>
    public required DateTimeOffset CommittedAt { get; init; }

    /// <summary>Size of all its objects; 0 while unknown.</summary>
    public required long Bytes { get; init; }

    /// <summary>Where its objects are.</summary>
    public required string Location { get; init; }

    /// <summary>Pending, healthy or condemned.</summary>
    public HealthVerdict Verdict { get; init; }
}

/// <summary>Pending until enough good steps followed, then Healthy; Condemned when a divergence began before it.</summary>
public enum HealthVerdict { Pending, Healthy, Condemned }

/// <summary>Counts, and at most 32 exceptional nodes.</summary>
public sealed record NodesStatus
{
    /// <summary>Machines that should train.</summary>
    public int Desired { get; init; }

    /// <summary>Members whose agent answers and does its part.</summary>
    public int Ready { get; init; }

    /// <summary>Warm machines ready to take over.</summary>
    public int SparesReady { get; init; }

    /// <summary>Nodes this job put aside, the newest 32.</summary>
    public EquatableList<QuarantinedNode> Quarantined { get; set; } = [];
}

/// <summary>A node this job put aside.</summary>
public sealed record QuarantinedNode
{
    /// <summary>Name of the Kubernetes node.</summary>
    public required string Name { get; init; }

    /// <summary>Why it was put aside.</summary>
    public required string Reason { get; init; }

    /// <summary>Since when.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>When it is given back, if it is ready then; absent where only a person ends it.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>The newest tests of one node.</summary>
public sealed record NodeTestStatus
{
    /// <summary>Name of the Kubernetes node.</summary>
    public required string Node { get; init; }

    /// <summary>The pod whose agent made them.</summary>
    public required string Pod { get; init; }

    /// <summary>quick, full or network.</summary>
    public required string Set { get; init; }

    /// <summary>running, passed, failed or incomplete.</summary>
    public required string State { get; init; }

    /// <summary>The test under way, or the one that found a fault.</summary>
    public string Test { get; set; } = "";

    /// <summary>What it found.</summary>
    public string Detail { get; set; } = "";

    /// <summary>When they began.</summary>
    public DateTimeOffset StartedAt { get; init; }
}

/// <summary>How often the job was relaunched, and why.</summary>
public sealed record RestartsStatus
{
    /// <summary>Launches after the first.</summary>
    public int Total { get; init; }

    /// <summary>The same by cause.</summary>
    public EquatableList<RestartCount> ByCause { get; set; } = [];
}

/// <summary>Relaunches of one cause.</summary>
public sealed record RestartCount
{
    /// <summary>Reason of the run plan.</summary>
    public required string Cause { get; init; }

    /// <summary>How often.</summary>
    public required int Count { get; init; }
}

/// <summary>Seconds in one account of the goodput ledger: productive, provision, rendezvous, restore, recompute, checkpointStall, detect, diagnose, pause.</summary>
public sealed record LedgerAccount
{
    /// <summary>Name of the account.</summary>
    public required string Account { get; init; }

    /// <summary>Seconds charged to it so far.</summary>
    public required double Seconds { get; init; }
}

/// <summary>One decision or intervention: when, who, what, why.</summary>
public sealed record LogbookEntry
{
    /// <summary>When.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The epoch it was decided in.</summary>
    public required long Epoch { get; init; }

    /// <summary>The newest step then known.</summary>
    public required long Step { get; init; }

    /// <summary>operator, policy NAME, or a user.</summary>
    public required string Actor { get; init; }

    /// <summary>What was done.</summary>
    public required string What { get; init; }

    /// <summary>The evidence.</summary>
    public required string Why { get; init; }

    /// <summary>What came of it; absent until that shows, and for what has no outcome of its own.</summary>
    public string? Outcome { get; init; }

    /// <summary>What an event is known by, wherever it is told: its time in Unix milliseconds, who, what. An outcome is learned later and changes nothing of it.</summary>
    public string Identity() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Time.ToUnixTimeMilliseconds()} {Actor} {What}");

    /// <summary>Whether both tell of the same event.</summary>
    public bool IsSame(LogbookEntry other) => Identity() == other.Identity();
}
