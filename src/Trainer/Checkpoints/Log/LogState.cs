using System.Collections.Immutable;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>What a prefix of the commit log says. A pure fold: <see cref="Apply"/> every entry in order.</summary>
public sealed record LogState
{
    public static readonly LogState Empty = new();
    private const int RetiredKept = 1000;

    /// <summary>Number of the last entry applied; 0 for an empty log.</summary>
    public long Entry { get; init; }

    /// <summary>The job the store belongs to; null while nobody has claimed it.</summary>
    public string? JobUid { get; init; }

    /// <summary>Highest fenced epoch.</summary>
    public long FencedEpoch { get; init; }

    /// <summary>Checkpoints that exist, by commit entry.</summary>
    public ImmutableSortedDictionary<long, KnownCheckpoint> Checkpoints { get; init; } = ImmutableSortedDictionary<long, KnownCheckpoint>.Empty;

    /// <summary>Folders of the newest thousand retired checkpoints, whose objects may still be there, newest last.</summary>
    public ImmutableList<string> Retired { get; init; } = [];

    /// <summary>Identities of the newest thousand logbook entries: an entry told twice is appended once.</summary>
    public ImmutableList<string> Logbook { get; init; } = [];

    public bool HasLogbook(LogbookEntry entry) => Logbook.Contains(IdentityOf(entry));

    private static string IdentityOf(LogbookEntry entry) => entry.Identity() + (entry.Outcome is null ? "" : " -> outcome");

    /// <summary>Whether the folder is that of a checkpoint. Any other folder below "checkpoints/" is a torn save or a retired one.</summary>
    public bool Exists(string path) => Checkpoints.Values.Any(c => c.Commit.Path == path);

    /// <summary>Those in the store.</summary>
    public IEnumerable<KnownCheckpoint> Durable => Checkpoints.Values.Where(c => !c.Commit.InMemory);

    /// <summary>Those furthest on first: by step within an epoch, since a save to the store may be committed after one in memory that was begun later.</summary>
    public IEnumerable<KnownCheckpoint> NewestFirst => Checkpoints.Values.OrderByDescending(c => (c.Epoch, c.Commit.Step, c.Entry));

    /// <summary>The newest healthy one whose step is not above <paramref name="step"/>; null when there is none.</summary>
    public KnownCheckpoint? LastHealthy(long step = long.MaxValue) => Healthy.LastOrDefault(c => c.Commit.Step <= step);

    public IEnumerable<KnownCheckpoint> Healthy => Durable.Where(c => c.Verdict == HealthVerdict.Healthy);

    /// <summary>The next state. An entry that could not have been appended by the rules changes nothing but <see cref="Entry"/>.</summary>
    public LogState Apply(LogEntry entry)
    {
        if (entry.Number != Entry + 1) throw new ArgumentException($"log entry {entry.Number} does not follow {Entry}", nameof(entry));
        var next = this with { Entry = entry.Number };
        if (LogRules.Refusal(this, entry) is not null) return next;
        return entry.Kind switch
        {
            LogEntryKind.Fence => next with { FencedEpoch = entry.Epoch, JobUid = entry.JobUid },
            LogEntryKind.Commit => next with { Checkpoints = Checkpoints.Add(entry.Number, KnownCheckpoint.Of(entry)) },
            LogEntryKind.Verdict => next.With(entry.Verdict!.Checkpoint, c => c with { Verdict = entry.Verdict.Verdict, Reason = entry.Verdict.Reason }),
            LogEntryKind.Pin => next.With(entry.Pin!.Checkpoint, c => c with { Pinned = entry.Pin.Pinned }),
            LogEntryKind.Retire => next with { Checkpoints = Checkpoints.Remove(entry.Retire!.Checkpoint), Retired = [.. Retired.Add(Checkpoints[entry.Retire.Checkpoint].Commit.Path).TakeLast(RetiredKept)] },
            LogEntryKind.Logbook => next with { Logbook = [.. Logbook.Add(IdentityOf(entry.Logbook!)).TakeLast(RetiredKept)] },
            _ => next,
        };
    }

    /// <summary>The state as agents report it.</summary>
    public Catalogue ToCatalogue() => new()
    {
        Entry = Entry,
        FencedEpoch = FencedEpoch,
        JobUid = JobUid,
        Checkpoints = [.. Checkpoints.Values.Select(c => c.ToSummary())],
    };

    /// <summary>
    /// The committed checkpoints that the run saved as <paramref name="entry"/> went through, newest first, itself included: those of its own
    /// epoch before it, then those of the run it resumed from, and so on. Retired links end the chain.
    /// </summary>
    public IEnumerable<KnownCheckpoint> Ancestry(long entry)
    {
        for (var head = Checkpoints.GetValueOrDefault(entry); head is not null; head = Checkpoints.GetValueOrDefault(head.Commit.Parent))
        {
            foreach (var same in NewestFirst.Where(c => c.Epoch == head.Epoch && c.Commit.Step <= head.Commit.Step)) yield return same;
        }
    }

    private LogState With(long checkpoint, Func<KnownCheckpoint, KnownCheckpoint> change) =>
        this with { Checkpoints = Checkpoints.SetItem(checkpoint, change(Checkpoints[checkpoint])) };
}

/// <summary>A committed checkpoint with what later entries said of it.</summary>
public sealed record KnownCheckpoint
{
    /// <summary>Number of its commit entry.</summary>
    public required long Entry { get; init; }

    public required long Epoch { get; init; }
    public required DateTimeOffset At { get; init; }
    public required CommitEntry Commit { get; init; }
    public HealthVerdict Verdict { get; init; }

    /// <summary>Why the verdict is what it is; empty while it is pending and nothing is wrong.</summary>
    public string Reason { get; init; } = "";

    public bool Pinned { get; init; }

    internal static KnownCheckpoint Of(LogEntry entry) => new() { Entry = entry.Number, Epoch = entry.Epoch, At = entry.At, Commit = entry.Commit!, Reason = entry.Commit!.Trouble ?? "" };

    public CheckpointSummary ToSummary() => new()
    {
        Step = Commit.Step,
        Attempt = Commit.Attempt,
        Samples = Commit.Samples,
        Tokens = Commit.Tokens,
        Epoch = Epoch,
        Entry = Entry,
        Path = Commit.Path,
        ManifestDigest = Commit.ManifestDigest,
        Bytes = Commit.Bytes,
        CommittedAt = At,
        Verdict = Verdict,
        Reason = Reason.Length == 0 ? null : Reason,
        Pinned = Pinned,
        Tiers = Commit.InMemory ? Commit.Copies : [.. Commit.Copies, CheckpointTier.Store],
    };
}
