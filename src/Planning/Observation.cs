using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Planning;

/// <summary>Everything one decision is made from, besides the job itself and the time: a snapshot, taken from informers and agents.</summary>
public sealed record Observation
{
    public PresentObjects Owned { get; init; } = new();

    /// <summary>Null when the job has no StatefulSet.</summary>
    public StatefulSetState? StatefulSet { get; init; }

    /// <summary>The StatefulSet's pods, by ordinal.</summary>
    public EquatableList<PodState> Pods { get; init; } = [];

    /// <summary>The last state of pods that are gone and had failed: the StatefulSet controller removes the evidence within seconds.</summary>
    public EquatableList<PodState> Evidence { get; init; } = [];

    /// <summary>Nodes that hold a pod of the job or are quarantined by it; empty where the operator may not read nodes.</summary>
    public EquatableList<NodeState> Nodes { get; init; } = [];

    /// <summary>The run plans found as ConfigMaps, by epoch and revision.</summary>
    public EquatableList<StoredPlan> Plans { get; init; } = [];

    /// <summary>What is known of each pod's agent.</summary>
    public EquatableList<AgentView> Agents { get; init; } = [];

    public StepView Steps { get; init; } = new();

    /// <summary>Digest of what the pod template would be rendered from now (<see cref="PodInputs"/>).</summary>
    public required string PodDigest { get; init; }

    /// <summary>What the API server says against the rendered StatefulSet; empty when it would be accepted.</summary>
    public EquatableList<string> TemplateFaults { get; init; } = [];

    /// <summary>Whether nodes can be read, labelled and cordoned: not in a single-namespace install.</summary>
    public bool CanActOnNodes { get; init; } = true;

    /// <summary>How many more nodes of the cluster may be quarantined (<see cref="QuarantineBreaker"/>).</summary>
    public int QuarantineRoom { get; init; } = int.MaxValue;

    /// <summary>Other jobs that wait for machines while they hold some; looked for only while this job is short itself.</summary>
    public EquatableList<Rival> Rivals { get; init; } = [];

    public Memory Memory { get; init; } = new();
}

/// <summary>A job that waits for machines while it holds some, so that others may wait for those.</summary>
/// <param name="Job">Namespace and name.</param>
/// <param name="Priority">Its pods' priority.</param>
public sealed record Rival(string Job, string Uid, int Priority, DateTimeOffset Created);

/// <summary>
/// What the operator remembers between passes. Losing it (a restart) costs time, never correctness: all that must survive is in plans,
/// node labels and the StatefulSet's annotations.
/// </summary>
public sealed record Memory
{
    /// <summary>The incident being handled.</summary>
    public Incident? Incident { get; init; }

    /// <summary>Since when members are missing.</summary>
    public DateTimeOffset? ShortSince { get; init; }

    /// <summary>When a job that must release its machines before this one was last seen to hold some.</summary>
    public DateTimeOffset? BehindAt { get; init; }

    /// <summary>The drain asked for, if one is under way.</summary>
    public DrainRequest? Drain { get; init; }

    /// <summary>Answer to the newest fence.</summary>
    public FenceAnswer? Fence { get; init; }

    /// <summary>Where the workers of the run that stands still were, when their agents were asked.</summary>
    public StackCollection? Stacks { get; init; }

    /// <summary>The newest step record that the divergence policies have judged, unless they fired on it.</summary>
    public JudgedStatus? Judged { get; init; }

    /// <summary>Since when members sit on nodes that are being taken out of service.</summary>
    public DateTimeOffset? DepartingSince { get; init; }

    /// <summary>Since when a run on fewer machines could have more.</summary>
    public DateTimeOffset? MoreSince { get; init; }

    /// <summary>Pods deleted because their node is being taken out of service: another pod that is placed there tolerates it.</summary>
    public EquatableList<LeftNode> Left { get; init; } = [];

    /// <summary>Causes of decisions told in Shadow mode, the newest 32.</summary>
    public EquatableList<string> Shadowed { get; init; } = [];

    /// <summary>Logbook entries known to be in the store; forgetting them costs nothing, since an entry told twice is stored once.</summary>
    public EquatableList<LogbookEntry> Recorded { get; init; } = [];

    /// <summary>After the clock was set back, what is remembered from then on begins now: else every wait would last until the clock has caught up.</summary>
    public Memory AsOf(DateTimeOffset now) => this with
    {
        Incident = Incident?.DetectedAt > now ? Incident with { DetectedAt = now } : Incident,
        ShortSince = Earlier(ShortSince, now),
        BehindAt = Earlier(BehindAt, now),
        Drain = Drain?.Since > now ? Drain with { Since = now } : Drain,
        Fence = Fence?.At > now ? Fence with { At = now } : Fence,
        DepartingSince = Earlier(DepartingSince, now),
        MoreSince = Earlier(MoreSince, now),
    };

    public Memory Recording(IEnumerable<LogbookEntry> entries) => this with { Recorded = [.. Recorded.Concat(entries).TakeLast(40)] };

    private static DateTimeOffset? Earlier(DateTimeOffset? time, DateTimeOffset now) => time > now ? now : time;
}

/// <summary>A pod that was taken off a node.</summary>
public sealed record LeftNode(string Node, string PodUid);

/// <summary>Answers of agents that were asked where their workers stand.</summary>
/// <param name="CauseId">The incident they were asked for.</param>
/// <param name="IsTold">They are in the logbook.</param>
public sealed record StackCollection(string CauseId, EquatableList<StackAnswer> Answers, bool IsTold = false);

/// <summary>What one agent said of its workers; <paramref name="Error"/> where it did not answer.</summary>
public sealed record StackAnswer(string PodUid, StacksReport? Report, string? Error = null);

/// <summary>A drain that rank 0 was asked for.</summary>
public sealed record DrainRequest(long Epoch, DateTimeOffset Since, string Why);

/// <summary>What an agent answered to PUT /v1/fence: a catalogue, or why not.</summary>
public sealed record FenceAnswer
{
    public required long Epoch { get; init; }
    public required string Pod { get; init; }
    public required DateTimeOffset At { get; init; }
    public Catalogue? Catalogue { get; init; }

    /// <summary>The refusal or failure, in the agent's words.</summary>
    public string? Error { get; init; }

    /// <summary>Highest epoch the store knows, where that was the reason.</summary>
    public long StoreEpoch { get; init; }

    /// <summary>Cause of the rollback whose checkpoints were condemned with this fence.</summary>
    public string? CondemnedFor { get; init; }

    /// <summary>True when asking again cannot help: the store belongs to another job.</summary>
    public bool IsFinal { get; init; }
}

/// <summary>Which of the job's helper objects exist.</summary>
public sealed record PresentObjects
{
    public bool Secret { get; init; }
    public bool Service { get; init; }
    public bool DisruptionBudget { get; init; }
}

/// <summary>The StatefulSet as decisions see it.</summary>
public sealed record StatefulSetState
{
    public required string Uid { get; init; }

    public string? ResourceVersion { get; init; }

    /// <summary>Desired number of pods (spec.replicas).</summary>
    public required int Replicas { get; init; }

    /// <summary>Revision that new pods get (status.updateRevision); empty until the controller has set it.</summary>
    public string UpdateRevision { get; init; } = "";

    /// <summary>True once the controller has seen the newest spec, so that <see cref="UpdateRevision"/> belongs to it.</summary>
    public bool IsObserved { get; init; } = true;

    /// <summary>Digest its template was rendered from.</summary>
    public required string PodDigest { get; init; }

    /// <summary>How the job ended, if it did: written in the same request as replicas 0.</summary>
    public JobOutcome? Outcome { get; init; }

    /// <summary>Set while all pods are released because members could not be placed.</summary>
    public Release? Release { get; init; }

    /// <summary>Budgets and counters look back no further than this: a person intervened then.</summary>
    public DateTimeOffset? CountersSince { get; init; }
}

/// <summary>The end of a job.</summary>
public sealed record JobOutcome
{
    public required bool Succeeded { get; init; }
    public required string Reason { get; init; }
    public required string Message { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>Generation of the spec that ended; a later edit by the user starts a failed job again.</summary>
    public required long Generation { get; init; }

    public long Step { get; init; }
}

/// <summary>Pods were released at <paramref name="At"/>, for the <paramref name="Times"/>th time in a row; they had that <paramref name="Priority"/>.</summary>
public sealed record Release(DateTimeOffset At, int Times, int Priority = 0);

/// <summary>One pod.</summary>
public sealed record PodState
{
    public required string Name { get; init; }
    public required string Uid { get; init; }
    public required int Ordinal { get; init; }

    /// <summary>Null until it is bound.</summary>
    public string? Node { get; init; }

    public string? Ip { get; init; }

    /// <summary>Pending, Running, Succeeded, Failed or Unknown.</summary>
    public required string Phase { get; init; }

    /// <summary>The StatefulSet revision it was made from.</summary>
    public string Revision { get; init; } = "";

    public bool Terminating { get; init; }

    /// <summary>When its grace is over, once it is being deleted; null before, and where that is not known.</summary>
    public DateTimeOffset? GraceEnds { get; init; }

    /// <summary>As the cluster resolved its priority class.</summary>
    public int Priority { get; init; }

    /// <summary>Why it failed, waits or cannot be placed, for people.</summary>
    public string? Trouble { get; init; }

    /// <summary>Reason of its DisruptionTarget condition: PreemptionByScheduler, EvictionByEvictionAPI, TerminationByKubelet...</summary>
    public string? Disruption { get; init; }
}

/// <summary>One node.</summary>
public sealed record NodeState
{
    public required string Name { get; init; }
    public required string Uid { get; init; }

    /// <summary>Its Ready condition is True.</summary>
    public required bool Ready { get; init; }

    /// <summary>It is not ready by its kubelet's own word, which therefore still ends pods with their grace; a silent one ends none.</summary>
    public bool KubeletSpeaks { get; init; }

    /// <summary>Since when it is not ready; null while it is, and where the cluster does not say.</summary>
    public DateTimeOffset? NotReadySince { get; init; }

    /// <summary>What its conditions say when it is not ready.</summary>
    public string? Trouble { get; init; }

    /// <summary>Set when it carries our quarantine label.</summary>
    public Quarantine? Quarantine { get; init; }

    /// <summary>Set when somebody else takes it out of service.</summary>
    public Departure? Departure { get; init; }

    /// <summary>Its cordon is set, whoever set it.</summary>
    public bool Cordoned { get; init; }

    /// <summary>Failure domains it lies in: its zone, and its block of machines by the label that the job names. Null where it carries no such label.</summary>
    public string? Zone { get; init; }

    public string? Rack { get; init; }

    /// <summary>What jobs had against it.</summary>
    public NodeHistory History { get; init; } = NodeHistory.Empty;
}

/// <summary>What jobs had against a node, as its annotation says: the memory of bad nodes that jobs share.</summary>
public sealed record NodeHistory
{
    public static readonly NodeHistory Empty = new();

    /// <summary>When a person gave the node back: what was before is forgiven.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Oldest first; the newest 16.</summary>
    public EquatableList<Offence> Offences { get; set; } = [];
}

/// <summary>One occasion on which a job held a node responsible.</summary>
public sealed record Offence
{
    public required DateTimeOffset At { get; init; }
    public required string JobUid { get; init; }
    public required string CauseId { get; init; }
    public required string Reason { get; init; }

    /// <summary>The node was put aside for it.</summary>
    public bool Quarantined { get; init; }
}

/// <summary>How a node is taken out of service.</summary>
/// <param name="Why">The cordon, taint or condition, for people.</param>
/// <param name="IsClosed">New pods are not placed there; a pod deleted from an open node might come right back.</param>
/// <param name="IsUrgent">The machine goes soon, whatever its pods do.</param>
public sealed record Departure(string Why, bool IsClosed, bool IsUrgent);

/// <summary>Why a node was put aside, as its label and annotations say.</summary>
public sealed record Quarantine
{
    public required string Reason { get; init; }

    /// <summary>NAMESPACE/NAME of the job that did it; null when a person or another tool set the label.</summary>
    public string? Job { get; init; }

    /// <summary>UID of the job that did it; null when a person or another tool set the label.</summary>
    public string? JobUid { get; init; }

    /// <summary>The incident it was done for.</summary>
    public string? CauseId { get; init; }

    public DateTimeOffset Since { get; init; }

    /// <summary>When it ends; null when only a person ends it.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>The node was cordoned already, so its cordon is not ours to lift.</summary>
    public bool KeepsCordon { get; init; }
}

/// <summary>A run plan and the ConfigMap that holds it.</summary>
/// <param name="Policies">The divergence policies it was decided under; null where that is not known.</param>
/// <param name="ParentStep">The newest step that the epoch before was seen to reach; null where that is not known.</param>
public sealed record StoredPlan(string ConfigMap, string Uid, RunPlan Plan, EquatableList<DivergencePolicySpec>? Policies = null, long? ParentStep = null);

/// <summary>One agent as the poller knows it.</summary>
public sealed record AgentView
{
    public required string Pod { get; init; }
    public required string PodUid { get; init; }

    /// <summary>Its newest answer; null before the first.</summary>
    public AgentStatus? Status { get; init; }

    /// <summary>Since when it has not answered; null while it does. Counted from when this operator began to ask.</summary>
    public DateTimeOffset? SilentSince { get; init; }

    /// <summary>When the newest answer, or failure to answer, was asked for; null where nobody kept count.</summary>
    public DateTimeOffset? AskedAt { get; init; }

    /// <summary>The last failure to reach it.</summary>
    public string? Error { get; init; }

    /// <summary>The plan it was sent and accepted, when its status does not show it yet.</summary>
    public PlanId? Accepted { get; init; }

    /// <summary>The plan it refused (409), if it refused one.</summary>
    public PlanRefusal? Refusal { get; init; }

    public bool Answers => Status is not null && SilentSince is null;
}

/// <summary>An agent's refusal of a plan, in its words.</summary>
public sealed record PlanRefusal(PlanId Plan, string Error);

/// <summary>What the step records of the current epoch say.</summary>
public sealed record StepView
{
    /// <summary>Newest record; null before the first step of the epoch.</summary>
    public StepRecord? Newest { get; init; }

    /// <summary>When an attempt was last seen to advance, on any agent, by the operator's clock; at first, when it began to look.</summary>
    public DateTimeOffset? AdvancedAt { get; init; }

    /// <summary>Trailing median of seconds per attempt; 0 while unknown.</summary>
    public double MedianSeconds { get; init; }

    /// <summary>Records that the ledger has not seen yet, oldest first.</summary>
    public EquatableList<StepRecord> New { get; init; } = [];

    /// <summary>The newest records of the lineage, over epochs, oldest first, without those that a rollback took back.</summary>
    public IReadOnlyList<StepRecord> History { get; init; } = [];

    /// <summary>Newest checkpoint known to be committed.</summary>
    public CheckpointSummary? Committed { get; init; }

    /// <summary>Newest checkpoint known to be healthy.</summary>
    public CheckpointSummary? Healthy { get; init; }
}
