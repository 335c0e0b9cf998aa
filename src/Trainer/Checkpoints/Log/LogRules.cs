using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>Which entry may follow a state. Pure; appending checks it against the end of the log, and reading checks it again.</summary>
public static class LogRules
{
    /// <summary>Healthy checkpoints that always stay.</summary>
    public const int HealthyKept = 2;

    /// <summary>Why <paramref name="entry"/> may not follow <paramref name="state"/>; null when it may.</summary>
    public static LogRefusal? Refusal(LogState state, LogEntry entry) => Owner(state, entry) ?? Epoch(state, entry) ?? entry switch
    {
        { Kind: LogEntryKind.Fence, Fence: not null } => null,
        { Kind: LogEntryKind.Commit, Commit: { } commit } => state.Exists(commit.Path) ? Invalid($"{commit.Path} is committed already") : null,
        { Kind: LogEntryKind.Verdict, Verdict: { } verdict } => Known(state, verdict.Checkpoint),
        { Kind: LogEntryKind.Pin, Pin: { } pin } => Known(state, pin.Checkpoint) ?? Pin(state.Checkpoints[pin.Checkpoint]),
        { Kind: LogEntryKind.Retire, Retire: { } retire } => Known(state, retire.Checkpoint) ?? Retire(state, state.Checkpoints[retire.Checkpoint]),
        { Kind: LogEntryKind.Logbook, Logbook: not null } => null,
        _ => Invalid($"entry {entry.Number} has no {entry.Kind} part"),
    };

    private static LogRefusal? Owner(LogState state, LogEntry entry)
    {
        if (state.JobUid is null || state.JobUid == entry.JobUid) return null;
        if (entry.Fence?.Adopts == state.JobUid) return null;
        return new(LogRefusalKind.Foreign, $"the store belongs to the job with UID {state.JobUid}, not to {entry.JobUid}; set checkpoint.adopt: true to go on from it, or use another store");
    }

    private static LogRefusal? Epoch(LogState state, LogEntry entry) => entry.Kind switch
    {
        LogEntryKind.Fence when entry.Epoch <= state.FencedEpoch => Fenced(state, entry),
        LogEntryKind.Fence => null,
        _ when entry.Epoch < state.FencedEpoch => Fenced(state, entry),
        _ when entry.Epoch > state.FencedEpoch => Invalid($"epoch {entry.Epoch} was never fenced; the store is at epoch {state.FencedEpoch}"),
        _ => null,
    };

    private static LogRefusal? Known(LogState state, long checkpoint) =>
        state.Checkpoints.ContainsKey(checkpoint) ? null : Invalid($"there is no checkpoint with commit entry {checkpoint}");

    private static LogRefusal? Pin(KnownCheckpoint checkpoint) =>
        checkpoint.Commit.InMemory ? Invalid($"the checkpoint of step {checkpoint.Commit.Step} lies in the memory of the nodes alone, which nothing can keep; pin one that is in the store") : null;

    private static LogRefusal? Retire(LogState state, KnownCheckpoint checkpoint)
    {
        if (checkpoint.Commit.InMemory) return null;
        if (checkpoint.Pinned) return Invalid($"the checkpoint of step {checkpoint.Commit.Step} is pinned");
        if (checkpoint.Verdict == HealthVerdict.Healthy && !HasNewerHealthy(state, checkpoint)) return Invalid($"the checkpoint of step {checkpoint.Commit.Step} is one of the last {HealthyKept} healthy ones");
        return state.Durable.Count() == 1 ? Invalid("it is the only checkpoint") : null;
    }

    private static bool HasNewerHealthy(LogState state, KnownCheckpoint checkpoint) => state.Healthy.Count(c => c.Entry > checkpoint.Entry) >= HealthyKept;

    private static LogRefusal Fenced(LogState state, LogEntry entry) =>
        new(LogRefusalKind.Fenced, $"the store is fenced at epoch {state.FencedEpoch}; epoch {entry.Epoch} may not write to it any more");

    private static LogRefusal Invalid(string message) => new(LogRefusalKind.Invalid, message);
}

/// <summary>Kinds of refusal.</summary>
public enum LogRefusalKind
{
    /// <summary>A newer (or the same) epoch owns the store.</summary>
    Fenced,

    /// <summary>Another job owns the store.</summary>
    Foreign,

    /// <summary>The entry makes no sense here.</summary>
    Invalid,
}

/// <summary>Why an entry was not appended.</summary>
public sealed record LogRefusal(LogRefusalKind Kind, string Message);
