using Opt.Api;
using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>What a rank tells rank 0 about its part of a save: the object is durable, or why not.</summary>
internal sealed record ShardResult
{
    public ObjectRecord? Object { get; init; }

    /// <summary>Where copies of it lie besides the store.</summary>
    public EquatableList<CheckpointTier> Copies { get; set; } = [];
    public string? Error { get; init; }
}

/// <summary>Which copies stay while new ones are made.</summary>
/// <param name="Folder">Of the last committed checkpoint; null when there is none, and the newest copies stay.</param>
internal sealed record CopyChoice(string? Folder);
