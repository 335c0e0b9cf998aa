namespace Opt.Api.V1Alpha1;

/// <summary>
/// One checkpoint of a job, as the commit log of its store says. The operator makes, updates and removes these objects; removing one by hand removes no
/// checkpoint, and it comes back. What people ask of the checkpoint stands in the spec.
/// </summary>
public sealed record OptCheckpoint
{
    public const string KindName = "OptCheckpoint";
    public const string Plural = "optcheckpoints";

    public string ApiVersion { get; set; } = $"{OptTrainingJob.Group}/{OptTrainingJob.Version}";
    public string Kind { get; set; } = KindName;

    /// <summary>What is asked of the checkpoint.</summary>
    public OptCheckpointSpec Spec { get; set; } = new();

    /// <summary>What the commit log says of it.</summary>
    public OptCheckpointStatus? Status { get; init; }
}

/// <summary>What people ask of a checkpoint. What is absent asks nothing.</summary>
public sealed record OptCheckpointSpec
{
    /// <summary>Whether retention must keep the checkpoint. Absent: as it is.</summary>
    public bool? Pinned { get; init; }

    /// <summary>Condemns the checkpoint: nothing resumes from it or rolls back to it any more. It cannot be changed or taken back.</summary>
    public CondemnedSpec? Condemned { get; init; }
}

/// <summary>Why a checkpoint is condemned.</summary>
public sealed record CondemnedSpec
{
    /// <summary>Why, for the log and for people.</summary>
    public required string Reason { get; init; }
}

/// <summary>What the commit log says of a checkpoint; written by the operator alone.</summary>
public sealed record OptCheckpointStatus
{
    /// <summary>Name of the job.</summary>
    public required string Job { get; init; }

    /// <summary>Optimizer updates it holds.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens consumed up to it.</summary>
    public required long Tokens { get; init; }

    /// <summary>The epoch that wrote it.</summary>
    public required long Epoch { get; init; }

    /// <summary>Number of its entry in the commit log.</summary>
    public required long Entry { get; init; }

    /// <summary>SHA-256 of its manifest, which names the content.</summary>
    public required string ManifestDigest { get; init; }

    /// <summary>Size of all its objects.</summary>
    public required long Bytes { get; init; }

    /// <summary>The same for people, as 2.1Ti.</summary>
    public required string Size { get; init; }

    /// <summary>When it was committed.</summary>
    public required DateTimeOffset CommittedAt { get; init; }

    /// <summary>Folder of its objects in the store.</summary>
    public required string Path { get; init; }

    /// <summary>pending, healthy or condemned.</summary>
    public required HealthVerdict Verdict { get; init; }

    /// <summary>Why the verdict is what it is; empty while it is pending and nothing is wrong.</summary>
    public string Reason { get; set; } = "";

    /// <summary>Where every rank's object lay when it was committed: node and peer are memory of the job's nodes, store outlives them.</summary>
    public EquatableList<CheckpointTier> Tiers { get; set; } = [];

    /// <summary>Whether retention keeps it.</summary>
    public bool Pinned { get; init; }

    /// <summary>Why what the spec asks is not so yet; empty when it is.</summary>
    public string Waiting { get; set; } = "";
}
