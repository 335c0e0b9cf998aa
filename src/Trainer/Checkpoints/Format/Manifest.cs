using Opt.Api;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Object <c>manifest.json</c> of a checkpoint: everything about it but its bytes. The commit entry holds its SHA-256, it holds the digests of
/// the objects, so the log vouches for every byte.
/// </summary>
public sealed record Manifest
{
    public const string FileName = "manifest.json";
    public const int CurrentFormat = 1;

    /// <summary>Longest manifest that is read: 1,000 ranks need about 2 MB.</summary>
    public const int MaxBytes = 64 << 20;

    public int Format { get; set; } = CurrentFormat;
    public required string JobUid { get; init; }
    public required long Epoch { get; init; }

    /// <summary>Commit entry this run resumed from; 0 for none.</summary>
    public required long Parent { get; init; }

    public required ModelDimensions Model { get; init; }
    public required int WorldSize { get; init; }
    public required int TensorParallelSize { get; init; }
    public required TrainingState State { get; init; }

    /// <summary>Slots every unit has, "master" first.</summary>
    public required EquatableList<string> Slots { get; init; }

    /// <summary>Image and library versions that wrote it.</summary>
    public required string Software { get; init; }

    public required DateTimeOffset SavedAt { get; init; }

    /// <summary>The slice table (<see cref="SliceTable"/>), compressed.</summary>
    public required ObjectRecord Slices { get; init; }

    /// <summary>One per rank, in rank order.</summary>
    public required EquatableList<ObjectRecord> Objects { get; init; }

    public long Bytes => Objects.Sum(o => o.Bytes) + Slices.Bytes;
}
