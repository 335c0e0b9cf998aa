using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>A run of entries in one object, written before they are deleted one by one.</summary>
public sealed record LogArchive
{
    /// <summary>In order, without gaps.</summary>
    public required EquatableList<LogEntry> Entries { get; init; }
}
