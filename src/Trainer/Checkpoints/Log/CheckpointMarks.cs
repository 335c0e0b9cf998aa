using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>Entries for what people and policies say of a checkpoint. Pure; null when the log says it already or the checkpoint is gone.</summary>
internal static class CheckpointMarks
{
    public static bool IsKnown(LogState state, CheckpointMark mark) =>
        state.Checkpoints.TryGetValue(mark.Entry, out var known) && known.Commit.ManifestDigest == mark.ManifestDigest;

    public static LogEntry? Pin(LogState state, CheckpointMark mark, bool pinned) => IsKnown(state, mark) && state.Checkpoints[mark.Entry].Pinned != pinned
        ? CommitLog.Entry(LogEntryKind.Pin, state.FencedEpoch) with { Pin = new() { Checkpoint = mark.Entry, Pinned = pinned } }
        : null;

    public static LogEntry? Condemn(LogState state, CheckpointMark mark, string reason) => IsKnown(state, mark) && state.Checkpoints[mark.Entry].Verdict != HealthVerdict.Condemned
        ? CommitLog.Entry(LogEntryKind.Verdict, state.FencedEpoch) with { Verdict = new() { Checkpoint = mark.Entry, Verdict = HealthVerdict.Condemned, Reason = reason } }
        : null;
}
