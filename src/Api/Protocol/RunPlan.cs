namespace Opt.Api.Protocol;

/// <summary>
/// What one epoch runs: a pure function of what the operator observed, written once (an immutable ConfigMap made by create only).
/// Identified by (epoch, revision, digest).
/// </summary>
public sealed record RunPlan
{
    /// <summary>Version of this contract; agents list those they speak in <see cref="AgentStatus.ProtocolVersions"/>.</summary>
    public const int CurrentProtocol = 1;

    public int Protocol { get; set; } = CurrentProtocol;
    public required string JobNamespace { get; init; }
    public required string JobName { get; init; }
    public required string JobUid { get; init; }

    /// <summary>Generation number of the launch; every relaunch raises it. Starts at 1.</summary>
    public required long Epoch { get; init; }

    /// <summary>Revision of live values within the epoch. Starts at 0.</summary>
    public required int Revision { get; init; }

    /// <summary>The epoch this one replaces; 0 for the first.</summary>
    public required long ParentEpoch { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Why this plan was made.</summary>
    public required PlanCause Cause { get; init; }

    /// <summary>Generation of the spec that <see cref="Training"/> was resolved from; only a later generation can change it.</summary>
    public long SpecGeneration { get; init; }

    /// <summary>The pods that train, in rank order: member i holds ranks [i * workers, (i + 1) * workers).</summary>
    public required EquatableList<PlanMember> Members { get; init; }

    public required int WorkersPerMember { get; init; }

    /// <summary>Port of the rendezvous store on member 0's address; fresh for each epoch.</summary>
    public required int RendezvousPort { get; init; }

    /// <summary>Pod template revision (StatefulSet update revision) all members have.</summary>
    public required string TemplateRevision { get; init; }

    public required TrainingConfig Training { get; init; }

    /// <summary>
    /// What the corpora held when earlier epochs trained on them: a node whose copy is another one refuses to train. Null before the first step, and in plans
    /// of older operators.
    /// </summary>
    public EquatableList<CorpusDigest>? Corpora { get; init; }

    /// <summary>The checkpoint to resume from, by the commit log; null to start from initial weights.</summary>
    public CheckpointSummary? Resume { get; init; }

    /// <summary>Digests of manifests that could not be restored; never chosen again.</summary>
    public EquatableList<string> DistrustedCheckpoints { get; set; } = [];

    /// <summary>Sample ranges [from, to) that are never read (bad data).</summary>
    public EquatableList<SampleRange> SkipSamples { get; set; } = [];

    /// <summary>Stretches of samples that are read in another order, oldest decision first.</summary>
    public EquatableList<SampleShuffle> Shuffles { get; set; } = [];

    /// <summary>Failures a day of one machine, as measured by the time of this plan: automatic checkpoint intervals follow it. Null in plans of older operators.</summary>
    public double? NodeFailuresPerDay { get; init; }

    /// <summary>Budget counters after this decision: decision and memory are one atomic write.</summary>
    public EquatableList<BudgetUse> Budgets { get; set; } = [];

    /// <summary>Hyper-parameters whose value in <see cref="Training"/> is not the spec's, with who set them.</summary>
    public EquatableList<HyperParameterOverride> Overrides { get; set; } = [];

    /// <summary>Firings of divergence policies, this decision's included; the newest 33 of each policy.</summary>
    public EquatableList<PolicyFiring> Firings { get; set; } = [];

    /// <summary>What this plan changes on whose behalf; null for launches that only repair.</summary>
    public InterventionRecord? Intervention { get; init; }

    /// <summary>A relaunch decided by this revision, for the next epoch to carry out.</summary>
    public RollbackOrder? Rollback { get; init; }

    /// <summary>Set while the run repeats what diverged, to see whether it does so again.</summary>
    public ReplayOrder? Replay { get; init; }

    /// <summary>Set while the job is held for a human.</summary>
    public PauseOrder? Pause { get; init; }

    /// <summary>What rank 0 is told with this revision, besides the values.</summary>
    public ControlCommand Command { get; init; }

    /// <summary>One-shot requests that were answered, the newest 20.</summary>
    public EquatableList<HandledRequest> Handled { get; set; } = [];

    /// <summary>Number of the run for people, as OPT's 12.43: the second part rises with every intervention that goes back, the first with a new start.</summary>
    public string Run { get; set; } = "1.0";

    public int WorldSize => Members.Count * WorkersPerMember;

    public PlanId Id => new(Epoch, Revision, RunPlanDigest.Of(this));
}

/// <summary>Identity of a plan: two plans with the same epoch and revision but another digest must never both be obeyed.</summary>
public readonly record struct PlanId(long Epoch, int Revision, string Digest);

/// <summary>One member of a plan.</summary>
public sealed record PlanMember
{
    public required string Pod { get; init; }
    public required string PodUid { get; init; }
    public required string PodIp { get; init; }

    /// <summary>Identity of the agent process that was asked; another process in the same pod has another one.</summary>
    public required string AgentInstance { get; init; }

    public required string Node { get; init; }

    /// <summary>Zone of the node (topology.kubernetes.io/zone); null where nodes have none or cannot be read.</summary>
    public string? Zone { get; init; }

    /// <summary>Block of machines that the node belongs to, by the label that spec.pod.scheduling.rack names; null where there is none.</summary>
    public string? Rack { get; init; }
}

/// <summary>Why a plan was made. <see cref="Id"/> names one incident: an action is taken at most once per cause.</summary>
public sealed record PlanCause
{
    public required string Id { get; init; }

    /// <summary>Machine-readable: Start, WorkerFailed, Hang, PodLost, NodeLost, AgentRestarted, SpecChanged, Resumed, HyperParametersChanged...</summary>
    public required string Reason { get; init; }

    /// <summary>One sentence for people.</summary>
    public required string Message { get; init; }

    /// <summary>The node held responsible, if one is.</summary>
    public string? Node { get; init; }
}

/// <summary>Samples [From, To).</summary>
public readonly record struct SampleRange(long From, long To);

/// <summary>Samples [From, To) in an order of their own, drawn by the seed.</summary>
public readonly record struct SampleShuffle(long From, long To, long Seed);

/// <summary>One use of a budget, kept while its window lasts.</summary>
public sealed record BudgetUse
{
    /// <summary>relaunchInPlace or replaceNode.</summary>
    public required string Budget { get; init; }

    public required DateTimeOffset At { get; init; }
    public required string CauseId { get; init; }
}
