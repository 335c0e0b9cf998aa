namespace Opt.Trainer.Checkpoints;

/// <summary>How a log is kept short. All writers of one store must agree on <see cref="Margin"/>.</summary>
internal sealed record LogLimits
{
    public static readonly LogLimits Default = new();

    /// <summary>A snapshot is written at every multiple of this.</summary>
    public int SnapshotEvery { get; init; } = 32;

    /// <summary>Entries below a snapshot that stay: nobody who is that little behind ever meets the hole that compaction leaves.</summary>
    public int Margin { get; init; } = 256;

    /// <summary>Entries moved into one archive.</summary>
    public int ArchiveEntries { get; init; } = 256;
}
