using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>What an entry of the commit log says.</summary>
public enum LogEntryKind { Fence, Commit, Verdict, Pin, Retire, Logbook }

/// <summary>
/// One entry of the append-only commit log, object <c>log/NUMBER.json</c>. Entries are created if absent and never changed, so their order is
/// the one truth about a store: everything else is derived from it.
/// </summary>
public sealed record LogEntry
{
    /// <summary>1 for the first.</summary>
    public required long Number { get; init; }

    public required LogEntryKind Kind { get; init; }

    /// <summary>The job that wrote it.</summary>
    public required string JobUid { get; init; }

    /// <summary>Epoch of the writer; never below an earlier entry's.</summary>
    public required long Epoch { get; init; }

    /// <summary>Pod or tool that wrote it.</summary>
    public required string Writer { get; init; }

    /// <summary>Random: tells a writer whose answer was lost that the entry it finds is its own.</summary>
    public required string Nonce { get; init; }

    /// <summary>The writer's clock; for people only.</summary>
    public required DateTimeOffset At { get; init; }

    public FenceEntry? Fence { get; init; }
    public CommitEntry? Commit { get; init; }
    public VerdictEntry? Verdict { get; init; }
    public PinEntry? Pin { get; init; }
    public RetireEntry? Retire { get; init; }
    public LogbookEntry? Logbook { get; init; }
}

/// <summary>From here on only <see cref="LogEntry.Epoch"/> may commit.</summary>
public sealed record FenceEntry
{
    /// <summary>UID of the job whose store this job takes over, by request.</summary>
    public string? Adopts { get; init; }
}

/// <summary>A checkpoint exists.</summary>
public sealed record CommitEntry
{
    public required long Step { get; init; }
    public required long Attempt { get; init; }
    public required long Samples { get; init; }
    public required long Tokens { get; init; }

    /// <summary>Folder of its objects.</summary>
    public required string Path { get; init; }

    /// <summary>SHA-256 of <c>manifest.json</c> in that folder.</summary>
    public required string ManifestDigest { get; init; }

    /// <summary>All objects together.</summary>
    public required long Bytes { get; init; }

    /// <summary>Commit entry of the checkpoint this run resumed from; 0 when it started from initial weights.</summary>
    public required long Parent { get; init; }

    /// <summary>Newest step before this one that was not good; 0 for none. Health goes on from here after a restart.</summary>
    public long LastBadStep { get; init; }

    /// <summary>Why the newest step before the save was not a good one; null when it was.</summary>
    public string? Trouble { get; init; }

    /// <summary>How loss and norms moved up to the save; null from trainers that did not look.</summary>
    public HealthTrends? Trends { get; init; }

    /// <summary>Nearer tiers that held a copy of every rank's object at the commit. What is left of them shows when it is read.</summary>
    public EquatableList<CheckpointTier> Copies { get; set; } = [];

    /// <summary>The ranks' objects lie in those tiers alone, not in the store. It counts for no promise of retention.</summary>
    public bool InMemory { get; init; }
}

/// <summary>Health of a checkpoint. Pending with a reason: why it is not healthy yet.</summary>
public sealed record VerdictEntry
{
    /// <summary>Number of its commit entry.</summary>
    public required long Checkpoint { get; init; }

    public required HealthVerdict Verdict { get; init; }
    public required string Reason { get; init; }
}

/// <summary>Retention keeps a pinned checkpoint.</summary>
public sealed record PinEntry
{
    public required long Checkpoint { get; init; }
    public required bool Pinned { get; init; }
}

/// <summary>The checkpoint exists no more; its objects may be deleted.</summary>
public sealed record RetireEntry
{
    public required long Checkpoint { get; init; }
    public required string Reason { get; init; }
}
